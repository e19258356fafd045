"""What do the answers say? The pure half of goldwatch: scorers, checks and the mathematics.

No I/O, no clock, no global random state, and nothing of ``service`` is imported here.

- ``types.py``: the nouns.
- ``scorers/``: one scorer per file.
- ``inference/``: the mathematics; ``from checks.inference import watch`` is the array door.
- one file per check: a check folds a target's runs into findings.
"""
