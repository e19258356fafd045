"""Grafana's own types, and a Prometheus that has scraped a real watch with a regression in it."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent

_KINDS = {
    "stat": "stat/panelcfg/x/StatPanelCfg",
    "table": "table/panelcfg/x/TablePanelCfg",
    "timeseries": "timeseries/panelcfg/x/TimeSeriesPanelCfg",
    "bargauge": "bargauge/panelcfg/x/BarGaugePanelCfg",
}
PROMETHEUS_ANNOTATION = ("expr", "titleFormat", "textFormat", "useValueForTime")
_PLAIN = """\
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
"""


def _missing(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Grafana's schema package and TypeScript; GOLDWATCH_NODE_MODULES names one that is there already."""
    if known := os.environ.get("GOLDWATCH_NODE_MODULES"):
        return Path(known).parent
    npm = shutil.which("npm")
    if npm is None:
        _missing("npm is not installed (Debian: npm)")
    folder = tmp_path_factory.mktemp("npm")
    shutil.copy(HERE / "package.json", folder)
    command = [str(npm), "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        _missing(f"Grafana's schema package cannot be had: {done.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture
def type_check(node_modules: Path, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """What TypeScript says of named dashboards against Grafana's types: nothing where they are right."""

    def check(**dashboards: Mapping[str, Any]) -> dict[str, str]:
        sources = {}
        for name, dashboard in dashboards.items():
            sources[name] = node_modules / f"{tmp_path.name}-{name}.ts"
            sources[name].write_text(_typescript(dashboard), "utf-8")
        options = [
            "--noEmit",
            "--strict",
            "--skipLibCheck",
            "--module",
            "esnext",
            "--moduleResolution",
            "bundler",
        ]
        files = [source.name for source in sources.values()]
        try:
            done = subprocess.run(
                ["node", "node_modules/typescript/bin/tsc", *options, "--target", "es2022", *files],
                cwd=node_modules, capture_output=True, text=True, check=False, timeout=120,
            )  # fmt: skip
        finally:
            for source in sources.values():
                source.unlink()
        said = (done.stdout + done.stderr).splitlines()
        assert all(line.startswith((tmp_path.name, " ")) for line in said), said
        return {
            name: "\n".join(line for line in said if line.startswith(source.name))
            for name, source in sources.items()
        }

    return check


def _typescript(dashboard: Mapping[str, Any]) -> str:
    """The dashboard, and each panel's options, as constants of Grafana's types."""
    lines = ["import type { Dashboard } from '@grafana/schema';"]
    lines += [
        f"import type * as {kind} from '@grafana/schema/dist/esm/raw/composable/{path}_types.gen';"
        for kind, path in _KINDS.items()
    ]
    lines += [_PLAIN, f"export const whole: Plain<Dashboard> = {json.dumps(_without_plugins(dashboard))};"]
    for number, panel in enumerate(panel for panel in _panels(dashboard) if panel["type"] != "row"):
        kind, custom = panel["type"], panel["fieldConfig"]["defaults"].get("custom")
        lines.append(
            f"export const o{number}: Plain<Partial<{kind}.Options>> = {json.dumps(panel['options'])};"
        )
        if custom is not None and kind in ("timeseries", "table"):
            lines.append(
                f"export const f{number}: Plain<Partial<{kind}.FieldConfig>> = {json.dumps(custom)};"
            )
    return "\n".join(lines)


def _panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = list(dashboard["panels"])
    return found + [inner for panel in found for inner in panel.get("panels", ())]


def _without_plugins(dashboard: Mapping[str, Any]) -> Any:
    """The schema leaves out the keys of an annotation that belong to the data source's plug-in."""
    plain = copy.deepcopy(dict(dashboard))
    for annotation in plain["annotations"]["list"]:
        for key in PROMETHEUS_ANNOTATION:
            annotation.pop(key)
    return plain
