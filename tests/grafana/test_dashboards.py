"""Are the dashboards what the code says, what Grafana reads, and full of data?"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

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


def test_links_of_the_rules_lead_to_the_dashboards() -> None:
    """Every ``dashboard_url`` names a dashboard that is there, and a variable that it has."""
    made = {written(name)["uid"]: written(name) for name in NAMES}
    urls = []
    for path in (FOLDER.parent / "deploy" / "prometheus").glob("rules*.yml"):
        groups = yaml.safe_load(path.read_text("utf-8")).get("groups", ())
        rules = [rule for group in groups for rule in group["rules"]]
        urls += [urlsplit(rule["annotations"]["dashboard_url"]) for rule in rules if "alert" in rule]
    assert {url.path.rpartition("/")[2] for url in urls} == set(made)
    for url in urls:
        variables = {variable["name"] for variable in made[url.path.rpartition("/")[2]]["templating"]["list"]}
        assert {key.removeprefix("var-") for key in parse_qs(url.query)} <= variables


def test_every_panel_says_what_it_shows() -> None:
    """Each has a title of its own and a description, and asks the data source that the variable chooses."""
    for name in NAMES:
        shown = panels(written(name))
        titles = [panel["title"] for panel in shown]
        assert len(titles) == len(set(titles))
        for panel in shown:
            assert panel["description"]
            for asked in (panel, *panel["targets"]):
                assert asked["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_panels_do_not_overlap() -> None:
    """No two panels stand on the same place of the grid, and none leaves it."""
    for name in NAMES:
        taken: set[tuple[int, int]] = set()
        for panel in written(name)["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, (name, panel["title"])
            assert all(x < 24 for x, _ in cells)
            taken |= cells


def test_provisioning_loads_what_is_written() -> None:
    """The provisioned data source is a Prometheus, and the provider reads files of one folder."""
    (source,) = yaml.safe_load((FOLDER / "provisioning/datasources/prometheus.yaml").read_text("utf-8"))[
        "datasources"
    ]
    assert source["type"] == "prometheus"
    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/goldwatch.yaml").read_text("utf-8"))[
        "providers"
    ]
    assert provider["type"] == "file"
    assert provider["options"]["path"] in (FOLDER.parent / "deploy" / "monitoring.md").read_text("utf-8")
