"""What does ``goldwatch serve`` do all day? Replay what is due, deliver what is to be said, answer who asks.

``daemon.py`` is the whole of it on a page: schedule, signals, reload, drain. ``watch.py`` holds one target's next step,
``chores.py`` what is done from time to time besides, ``server.py`` the web server in the same loop, ``facts.py`` what
metrics and pages are told of the configuration, ``shared_secrets.py`` the secrets that others must know, ``lookout.py``
what keeps the watch itself from its work.
"""
