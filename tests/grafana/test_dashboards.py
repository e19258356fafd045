"""Are the dashboards what the code says, what Grafana reads, and full of data?"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

grafana = pytest.importorskip("grafana.__main__", reason="grafana-foundation-sdk is not installed")

FOLDER = Path(grafana.__file__).parent
NAMES = sorted(grafana.DASHBOARDS)


def written(name: str) -> Any:
    return json.loads((FOLDER / name).read_text("utf-8"))


def panels(dashboard: Any) -> list[Any]:
    found = list(dashboard["panels"])
    return [p for p in found + [i for r in found for i in r.get("panels", ())] if p["type"] != "row"]


@pytest.mark.parametrize("name", NAMES)
def test_the_json_is_what_the_code_makes(name: str) -> None:
    """No drift: ``python -m grafana`` would write the same."""
    assert (FOLDER / name).read_text("utf-8") == grafana.text(name)


def test_grafanas_types_accept_them(type_check: Any) -> None:
    """Grafana's own schema package has nothing to say about any key or value, and names what is wrong."""
    right = {name.removesuffix(".json"): written(name) for name in NAMES}
    key, value = copy.deepcopy(right["fleet"]), copy.deepcopy(right["fleet"])
    key["timezzone"] = "browser"
    value["panels"][0]["options"]["colorMode"] = "sparkling"
    said = type_check(**right, key=key, value=value)
    assert {name: said[name] for name in right} == dict.fromkeys(right, "")
    assert "timezzone" in said["key"]
    assert "sparkling" in said["value"]
