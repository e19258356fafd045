"""What does production ask, and does it still ask what the golden set holds? The shell around ``checks/traffic``.

``sample.py`` reads one sample, ``otel.py`` reads OpenTelemetry's GenAI events and spans, ``follow.py`` follows a file,
``ingest.py`` adds samples up and judges the windows that end, ``view.py`` says how things stand (pages, metrics, API
and commands ask it), ``draft.py`` exports what is worth a label.

To take samples from one more source: turn them into :class:`~service.traffic.sample.Sample` and give them to
:class:`~service.traffic.ingest.Ingest`. Texts stay in memory for as long as a batch takes, unless
``keep_texts`` is set.
"""
