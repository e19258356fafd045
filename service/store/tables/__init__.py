"""What is kept, and in which shape? The tables; the only room that names columns.

Rows are not domain types: every method of the store takes and returns the frozen values of ``service/records.py``. All
names begin with ``goldwatch_``, so that a database may be shared. Blobs are packed by ``packing.py``.

``runs.py`` has what was asked of the targets and how it was judged, ``alerts.py`` what people are told, ``asked.py``
what is asked of other models, ``traffic.py`` what production asks; ``base.py`` is what they share. Whoever queries
imports a table from here. After a change: a new file in ``migrations/versions`` and a new ``HEAD`` in ``schema.py``; a
test compares the two ways to the schema.
"""

from __future__ import annotations

from service.store.tables.alerts import ACKNOWLEDGEMENT, ALERT, OUTBOX, RECEIPT, SILENCE
from service.store.tables.asked import ASKING, BASE_ANSWERS, BORDER, COMPARISON, REPLY, UNJUDGED
from service.store.tables.base import METADATA, VERSION, clean, speak_postgresql
from service.store.tables.runs import (
    BASELINE,
    COUNTER,
    DIAGNOSIS,
    EXAMPLE,
    GOLDEN,
    GOLDEN_EXAMPLE,
    JUDGEMENT,
    LEASE,
    LINEAGE,
    MARK,
    RESPONSE,
    RUN,
    SNAPSHOT,
    TARGET_STATE,
    TEXT,
    VECTOR,
)
from service.store.tables.traffic import TRAFFIC, TRAFFIC_TEXT, TRAFFIC_WINDOW

__all__ = [
    "ACKNOWLEDGEMENT",
    "ALERT",
    "ASKING",
    "BASELINE",
    "BASE_ANSWERS",
    "BORDER",
    "COMPARISON",
    "COUNTER",
    "DIAGNOSIS",
    "EXAMPLE",
    "GOLDEN",
    "GOLDEN_EXAMPLE",
    "JUDGEMENT",
    "LEASE",
    "LINEAGE",
    "MARK",
    "METADATA",
    "OUTBOX",
    "RECEIPT",
    "REPLY",
    "RESPONSE",
    "RUN",
    "SILENCE",
    "SNAPSHOT",
    "TARGET_STATE",
    "TEXT",
    "TRAFFIC",
    "TRAFFIC_TEXT",
    "TRAFFIC_WINDOW",
    "UNJUDGED",
    "VECTOR",
    "VERSION",
    "clean",
    "speak_postgresql",
]
