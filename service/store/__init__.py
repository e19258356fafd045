"""What happened so far? The one place that is remembered in, and the only room that knows SQL.

:class:`Store` is made of one class per noun, each in a file of its own: ``golden.py``, ``runs.py``,
``responses.py``, ``judging.py`` (the end of a run, and history), ``lineage.py``, ``baselines.py``,
``outbox.py`` (alerts and messages), ``acts.py`` (what people did about them), ``marks.py``, ``metrics.py``,
``traffic.py``, ``comparisons.py`` (challengers), ``replies.py`` (judges), ``retention.py``, ``dump.py``, ``jobs.py``.
Below them: ``database.py`` (URL, engine, transactions), ``schema.py`` and ``migrations/``, ``tables/``; beside them
the pure ``packing.py`` and ``values.py``. Methods take and return the frozen values of ``service/records.py``; rows
stay inside.

To add a noun: its table in ``tables/``, a migration, one file with a class of queries on
:class:`~service.store.database.Database`, and its name in the bases of :class:`Store`. The tests run every
query on SQLite and on PostgreSQL.
"""

from __future__ import annotations

from service.store.acts import Acts
from service.store.baselines import Baselines, Carried
from service.store.border import Border
from service.store.causes import Causes
from service.store.comparisons import Comparisons
from service.store.counters import BUCKETS_S
from service.store.dump import Dumps
from service.store.errors import NotRunningError, StoreError
from service.store.jobs import Jobs
from service.store.marks import Marks
from service.store.metrics import Metrics
from service.store.packing import stored_latency
from service.store.replies import Replies
from service.store.retention import Retention
from service.store.traffic import Traffic

__all__ = ["BUCKETS_S", "Carried", "NotRunningError", "Store", "StoreError", "stored_latency"]


class Store(
    Baselines, Metrics, Marks, Acts, Causes, Traffic, Retention, Dumps, Jobs, Comparisons, Replies, Border
):
    """The store of one installation; see :meth:`open`. Every method may be called from any thread."""
