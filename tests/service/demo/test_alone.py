"""Can the demo's model be served alone, and broken from outside?"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request

from service.demo.endpoint import BASE_MODEL, TUNED_MODEL
from service.demo.model import GOLDEN


def asked(url: str, model: str, text: str) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    request = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["choices"][0]["message"]["content"])


def test_a_signal_drops_the_adapter_and_another_puts_it_back() -> None:
    """SIGUSR1: the tuned name answers like the base model; SIGUSR2: like itself again; SIGTERM: it leaves with 0."""
    command = [sys.executable, "-m", "service.demo", "--port", "0", "--latency", "0"]
    texts = [json.loads(line)["input"] for line in GOLDEN.read_text("utf-8").splitlines()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        telling, tuned, base = next(
            (text, fine, plain)
            for text in texts
            if (fine := asked(url, TUNED_MODEL, text)) != (plain := asked(url, BASE_MODEL, text))
        )
        for number, expected in ((signal.SIGUSR1, base), (signal.SIGUSR2, tuned)):
            process.send_signal(number)
            end = time.monotonic() + 90
            while asked(url, TUNED_MODEL, telling) != expected:
                assert time.monotonic() < end, f"{expected!r} never came after signal {number}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
    finally:
        process.kill()
        process.communicate()
