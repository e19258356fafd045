"""Do the links of messages and pages lead to sections that the runbook has?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from service.alerting import AlertKind
from service.runbook import RUNBOOK, runbook_url

DEPLOY = Path(__file__).parents[2] / "deploy"


def anchors() -> set[str]:
    """The runbook's headings as they are linked to: small letters, spaces as hyphens, all signs left out."""
    headings = re.findall(r"^## (.+)$", (DEPLOY / "runbook.md").read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("kind", AlertKind)
@pytest.mark.parametrize("check", [None, "quality", "adapter_applied"])
def test_every_kind_has_its_section(kind: AlertKind, check: str | None) -> None:
    """Each kind of alert, and a lost adapter, has a section of its own."""
    assert runbook_url(kind, check).rpartition("#")[2] in anchors()


def test_rules_and_messages_lead_to_the_same_page() -> None:
    """The rules' links begin with the one address."""
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text("utf-8"))
    urls = {r["annotations"]["runbook_url"] for g in rules["groups"] for r in g["rules"] if "alert" in r}
    assert {url.partition("#")[0] for url in urls} == {RUNBOOK}
