"""Where does a person read what to do about an alert? The runbook's sections, as messages and pages link to them."""

from __future__ import annotations

RUNBOOK = "https://github.com/goldwatch/goldwatch/blob/main/deploy/runbook.md"
ADAPTER = "adapter_applied"

_SECTIONS = {
    "regression": "goldwatchmodelregressed",
    "outage": "goldwatchnotmeasured",
    "judge": "goldwatchjudgedrift",
    "watch": "alerts-of-kind-watch",
    "notice": "alerts-of-kind-notice",
}


def runbook_url(kind: str, check: str | None = None) -> str:
    """The section about an alert of this kind; ``check`` is that of its worst finding.

    >>> runbook_url("outage").rpartition("#")[2]
    'goldwatchnotmeasured'
    >>> runbook_url("regression", "adapter_applied").rpartition("#")[2]
    'goldwatchadapternotapplied'
    """
    if kind == "regression" and check == ADAPTER:
        return f"{RUNBOOK}#goldwatchadapternotapplied"
    section = _SECTIONS.get(kind)
    return RUNBOOK if section is None else f"{RUNBOOK}#{section}"
