"""What can people and programs ask over HTTP? Metrics, health, the JSON API and pages.

``app.py`` composes the application; ``api.py`` and ``pages.py`` hold the routes, ``models.py`` the API's shapes,
``views.py`` what both read from the store, ``guard.py`` who may change something and which headers go
out, ``chart.py`` the score chart. ``templates/`` and ``goldwatch.css`` need no build step and no script.
To add a page: a function in ``views.py``, a template, a route in ``pages.py``.
"""
