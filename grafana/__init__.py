"""What does the slow story look like? Grafana dashboards as code, and the JSON that it makes.

- ``fleet.py``: all targets at a glance, worst first. ``target.py``: one target. ``vllm.py``: its model server's row.
- ``parts.py``: what they share: data source, variables, queries, panels.
- ``provisioning/``: files that make Grafana load the data source and the dashboards by itself.

``python -m grafana`` writes ``fleet.json`` and ``target.json`` beside the code. To add a dashboard, write a module with
a ``board()`` and name it in ``DASHBOARDS``. The tests compare code and JSON, check the JSON's types with Grafana's own
schema package, and ask every query of a real Prometheus.
"""
