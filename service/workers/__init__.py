"""How do several processes share the runs? By jobs in PostgreSQL; on SQLite there is one process.

``queue.py`` is the whole of it: put a look at a target into the queue, take looks out of it. A job says only "look at
this target"; what is due is decided from the store by whoever looks (``service/daemon/watch.py``), and the store lets
a scheduled time have one run and a target one run at a time. So a job that comes twice, or late, does no harm.
"""
