"""How long would it take to notice? Fire drills: a fault on purpose, before a shadow copy of a target.

``faults.py`` holds the faults, ``rehearse.py`` replays the shadow and times its alert. To add a fault: a member of
:class:`~service.drill.faults.FaultKind` and its line in ``Faulty.ask``.
"""

from __future__ import annotations
