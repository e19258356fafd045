"""What can people and programs ask over HTTP? Metrics, health, the JSON API and pages.

``app.py`` composes the application. Reading: ``api.py`` and ``pages.py`` hold the routes, ``models.py`` and
``bodies.py`` the API's shapes, ``views.py``, ``shown.py``, ``broken.py``, ``diff.py`` and ``life.py`` what they show,
``render.py`` and ``chart.py`` how. Changing: ``api_changes.py`` and ``buttons.py`` hold the routes, ``changes.py`` what
both do, ``door.py`` who may; ``guard.py`` has what goes out with every answer. ``templates/`` and ``goldwatch.css``
need no build step and no script. To add a page: what it shows in ``shown.py``, a template, a route in ``pages.py``, its
address in ``tests/service/web/test_browser.py``.
"""
