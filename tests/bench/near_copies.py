"""How long does ``goldwatch lint --train`` look for copies? A million training texts against 10,000 golden ones.

    python -m tests.bench near_copies [--train=1000000] [--golden=10000]

Tickets of 40 to 300 characters from a narrow language of 2,000 words; one golden text in ten stands disturbed in the
training data, and all of those must be found.
"""

from __future__ import annotations

import json
import random
import resource
import string
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from checks.lint import normal_input
from checks.near_copies import near_copies
from service.training import training_inputs


def _words(rng: random.Random) -> list[str]:
    letters = string.ascii_lowercase
    return ["".join(rng.choice(letters) for _ in range(rng.randint(2, 9))) for _ in range(2000)]


def _text(rng: random.Random, words: Sequence[str]) -> str:
    return " ".join(words[int(2000 * rng.random() ** 3)] for _ in range(rng.randint(8, 50)))


def measure(options: Sequence[str] = ()) -> Iterator[tuple[str, str, str, bool]]:
    """One pass; ``--train=N``, ``--golden=N``."""
    given = dict(option[2:].split("=", 1) for option in options if "=" in option)
    train, golden = int(given.get("train", 100_000)), int(given.get("golden", 10_000))
    rng = random.Random(1)
    words = _words(rng)
    texts = [_text(rng, words) for _ in range(golden)]
    planted = {rng.randrange(train): i for i in range(0, golden, 10)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.jsonl"
        with path.open("w") as file:
            for number in range(train):
                text = _text(rng, words)
                if (i := planted.get(number)) is not None:
                    place = rng.randrange(len(texts[i]))
                    text = texts[i][:place] + "#" + texts[i][place + 1 :]
                file.write(json.dumps({"prompt": text, "completion": "billing"}) + "\n")
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        large = ((n, normal_input(text)) for n, text in training_inputs(path))
        found = {copy.example for copy in near_copies([normal_input(t) for t in texts], large)}
        took = time.perf_counter() - start
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    what = f"{train:,} training texts x {golden:,} golden: "
    yield what + "near copies found", f"{took:.0f} s, {more:.0f} MiB more", "<= 300 s", took <= 300
    missed = sum(i not in found for i in planted.values())
    yield what + "planted copies missed", str(missed), "0", missed == 0
