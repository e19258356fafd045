"""What does ``goldwatch run`` say when the endpoint, not the model, is broken?

The real command line, store and client against a server on loopback, after a healthy baseline and in the middle of
a regression.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service import cli

EXAMPLES = 40
KEY = "planted-7f3a91c2-key"
CONFIG = """
version: 1
targets:
  - name: t
    endpoint: {{kind: openai_chat, base_url: "{url}", model: m, api_key_env: PLANTED}}
    golden: golden.jsonl
    timeout: 500ms
    retries: 0
    concurrency: 40
    baseline: {{runs: 3}}
    scorers: [{{kind: exact_match}}]
"""
FAULTS = {
    "401": "401",
    "404": "404",
    "429": "429",
    "500": "500",
    "hang": "no complete answer within 0.5 s",
    "cut": "cut|short|closed|incomplete|ended",
    "gigabyte": "max_response_bytes|no complete answer within 0.5 s",
    "not utf-8": "UTF-8",
    "another shape": "choices",
    "redirect": "elsewhere.invalid",
    "down": "refuses connections",
    "drip": "no complete answer within 0.5 s",
    "unknown host": "no-such-host.invalid",
    "no tls": "TLS|SSL",
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory, one_model):
    """Two folders: ``healthy`` has a baseline and a good run, ``regressed`` a standing regression on top."""
    one_model.reset()
    patch = pytest.MonkeyPatch()
    patch.setenv("PLANTED", KEY)
    made = tmp_path_factory.mktemp("healthy")
    golden = [{"id": f"e{n}", "input": f"q-{n}", "expected": f"a-{n}"} for n in range(EXAMPLES)]
    (made / "golden.jsonl").write_text("".join(json.dumps(line) + "\n" for line in golden))
    (made / "goldwatch.yaml").write_text(CONFIG.format(url=one_model.url))
    patch.chdir(made)
    assert cli.run(["freeze", "golden.jsonl"]) == 0
    assert [cli.run(["run"]) for _ in range(4)] == [0] * 4
    regressed = tmp_path_factory.mktemp("two") / "regressed"
    shutil.copytree(made, regressed)
    patch.chdir(regressed)
    one_model.worse = True
    assert cli.run(["run"]) == 1
    one_model.reset()
    patch.undo()
    return {"healthy": made, "regressed": regressed}


@pytest.fixture
def folder(stores, model, tmp_path, monkeypatch):
    """Puts a copy of one of ``stores`` into the working folder."""
    monkeypatch.setenv("PLANTED", KEY)

    def enter(name: str) -> Path:
        copy = tmp_path / name
        shutil.copytree(stores[name], copy)
        monkeypatch.chdir(copy)
        model.worse = name == "regressed"
        return copy

    return enter


def last_run(capsys) -> dict:
    capsys.readouterr()
    assert cli.run(["history", "t", "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def break_endpoint(fault: str, model, folder: Path, port: int) -> None:
    if fault == "down":
        text = (folder / "goldwatch.yaml").read_text()
        (folder / "goldwatch.yaml").write_text(text.replace(str(model.server_port), str(port)))
    elif fault in {"unknown host", "no tls"}:
        text = (folder / "goldwatch.yaml").read_text()
        address = f"http://127.0.0.1:{model.server_port}"
        broken = (
            "http://no-such-host.invalid" if fault == "unknown host" else address.replace("http", "https")
        )
        (folder / "goldwatch.yaml").write_text(text.replace(address, broken))
    else:
        model.fault = fault


@pytest.mark.parametrize("before", ["healthy", "regressed"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_endpoint_is_inconclusive(fault, before, folder, model, closed_port, capsys):
    """Exit 3, a reason that names the fault for every example, no verdict on the model, and the key nowhere."""
    here = folder(before)
    break_endpoint(fault, model, here, closed_port)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert cli.run(["--debug", "run"]) == 3
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident) / 1024
    assert grown_mb < 400  # 40 bodies in flight, each bounded; unbounded they come to 40 GB
    shown = capsys.readouterr()
    printed = " ".join((shown.out + shown.err).split())
    assert sum(int(count) for count in re.findall(r"(\d+)×", printed)) == EXAMPLES
    assert any(word in printed for word in FAULTS[fault].split("|")), printed
    run = last_run(capsys)
    assert run["verdict"] == "inconclusive"
    assert run["requests"] == {"ok": 0, "failed": EXAMPLES, "retried": 0}
    assert all(f["verdict"] != "regressed" for f in run["findings"]), run["findings"]
    cli.run(["explain", "t"])
    explained = capsys.readouterr()
    stored = b"".join(file.read_bytes() for file in here.glob("goldwatch.db*"))
    assert KEY not in printed + explained.out + explained.err
    assert KEY.encode() not in stored


def test_a_regression_outlives_an_outage(folder, model, capsys):
    """An outage in the middle does not resolve the regression: the next measured run says so again."""
    folder("regressed")
    model.fault = "500"
    assert cli.run(["run"]) == 3
    model.fault = ""
    assert cli.run(["run"]) == 1
    assert last_run(capsys)["verdict"] == "regressed"


@pytest.mark.parametrize(("before", "code"), [("healthy", 0), ("regressed", 1)])
def test_a_few_lost_answers_change_nothing(before, code, folder, model, capsys):
    """Two examples of forty that always fail leave the verdict what the answered ones say."""
    folder(before)
    model.fault, model.hits = "500", 2
    assert cli.run(["run"]) == code
    run = last_run(capsys)
    assert run["requests"] == {"ok": EXAMPLES - 2, "failed": 2, "retried": 0}


def test_json_under_another_content_type_is_an_answer(folder, model):
    """Valid JSON that is called text/html is read: the answer counts, not its label."""
    folder("healthy")
    model.fault = "another type"
    assert cli.run(["run"]) == 0


def test_a_killed_run_is_held_and_explained(folder, model, capsys):
    """After kill -9 in mid-run the next ``run`` exits 3, says how long the dead one is held, and judges nothing."""
    here = folder("healthy")
    config = here / "goldwatch.yaml"
    config.write_text(config.read_text().replace("timeout: 500ms", "timeout: 60s"))
    model.fault = "hang"
    command = [sys.executable, "-c", "from service.cli import main; main()", "run"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert model.asked.wait(60)
        process.kill()
    model.fault = ""
    capsys.readouterr()
    assert cli.run(["run"]) == 3
    shown = capsys.readouterr()
    assert "taken up by the next goldwatch run in 30 s" in " ".join((shown.out + shown.err).split())
    assert last_run(capsys)["verdict"] is None
