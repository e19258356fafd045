"""Can somebody else recompute a verdict? Incident bundles: written here, verified anywhere, offline.

A bundle is one ZIP file, the same bytes whenever the same run is exported. ``format.py`` says what is in it,
``write.py`` makes one from the store, ``read.py`` opens one by anybody (it is hostile input), ``recompute.py`` scores
and judges again. To add a member: its name in ``format.py``, a writer in ``write.py``, and, if the verdict depends on
it, its reader in ``recompute.py``.
"""

from __future__ import annotations
