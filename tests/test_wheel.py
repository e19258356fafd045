"""The wheel holds everything that goldwatch needs, and runs where the repository is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_string
from importlib.util import find_spec
from pathlib import Path

import pytest

from service import __version__

ROOT = Path(__file__).parent.parent
NEEDED = {
    "checks/py.typed",
    "service/py.typed",
    "service/demo/golden.jsonl",
    "service/demo/golden.jsonl.lock",
    "service/demo/llm_golden.jsonl",
    "service/demo/ticket-lora.gguf",
    "service/demo/tickets.jsonl",
    "service/store/migrations/alembic.ini",
    "service/store/migrations/script.py.mako",
    "service/web/goldwatch.css",
    "service/web/goldwatch.svg",
    "service/web/templates/target.html.j2",
}
KINDS = (".py", ".ini", ".mako", ".j2", ".css", ".svg", ".jsonl", ".lock", ".gguf", ".typed", ".md")


def done(
    *command: str | Path, cwd: Path, code: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV_"))}
    finished = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == code, finished.stdout + finished.stderr
    return finished


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the repository as it is."""
    for part in ("build", "hatchling"):
        if find_spec(part) is None:
            if os.environ.get("CI") == "true":
                pytest.fail(f"{part} is not installed")
            pytest.skip(f"{part} is not installed")
    folder = tmp_path_factory.mktemp("dist")
    options = ["--wheel", "--no-isolation", "--outdir", folder]
    done(sys.executable, "-m", "build", *options, ROOT, cwd=folder)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment with the wheel, which finds its dependencies where these tests do.

    The dependencies' folder is added by a .pth, whose own .pth files (an editable install) are not read.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    own = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    shared = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (own / "dependencies.pth").write_text("\n".join(shared) + "\n", encoding="utf-8")
    python = folder / "bin" / "python"
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--ignore-installed"]
    done(python, "-m", "pip", "install", *quiet, wheel, cwd=folder)
    return folder / "bin"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A working directory that is not the repository."""
    folder = tmp_path / "watch"
    folder.mkdir()
    return folder


def test_it_holds_every_file_of_the_packages(wheel: Path) -> None:
    """Code, migrations, templates, styles and demo data; nothing that a package reads stays behind."""
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [
        path for room in ("checks", "service") for path in (ROOT / room).rglob("*") if path.suffix in KINDS
    ]
    assert {str(path.relative_to(ROOT)) for path in files} - names == set()
    assert names >= NEEDED


def test_it_holds_nothing_else(wheel: Path) -> None:
    """Two packages and what describes them: no tests, no tools, no caches, nobody's history."""
    names = zipfile.ZipFile(wheel).namelist()
    about = f"goldwatch-{__version__}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"checks", "service", about}
    strange = [name for name in names if not name.startswith(about) and not name.endswith(KINDS)]
    assert strange == []
    assert [
        name for name in names if Path(name).name.startswith(("test_", "conftest")) or "__pycache__" in name
    ] == []


def test_it_says_what_it_is(wheel: Path) -> None:
    """Name, version, licence and the oldest Python."""
    with zipfile.ZipFile(wheel) as archive:
        about = f"goldwatch-{__version__}.dist-info"
        said = message_from_string(archive.read(f"{about}/METADATA").decode())
        licence = archive.read(f"{about}/licenses/LICENSE").decode()
    assert (said["Name"], said["Version"]) == ("goldwatch", __version__)
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Requires-Python"] == ">=3.11"
    assert "Apache License" in licence


def test_it_is_the_wheels_code_that_runs(installed: Path, elsewhere: Path) -> None:
    """Neither the repository nor an editable install is seen."""
    code = "import checks, service; print(checks.__file__); print(service.__file__)"
    places = done(installed / "python", "-c", code, cwd=elsewhere).stdout.split()
    assert [Path(place).is_relative_to(installed.parent) for place in places] == [True, True]


def test_it_answers(installed: Path, elsewhere: Path) -> None:
    """Version, help and schema, each from the installed command."""
    goldwatch = installed / "goldwatch"
    assert done(goldwatch, "--version", cwd=elsewhere).stdout == f"goldwatch {__version__}\n"
    assert "goldwatch init" in done(goldwatch, "--help", cwd=elsewhere).stdout
    assert json.loads(done(goldwatch, "schema", cwd=elsewhere).stdout)["title"] == "goldwatch.yaml"


def test_it_begins_and_keeps_a_store(installed: Path, elsewhere: Path) -> None:
    """A configuration, a frozen golden set, and a database, each beside the configuration."""
    goldwatch = installed / "goldwatch"
    done(goldwatch, "init", cwd=elsewhere)
    assert "version 1" in done(goldwatch, "freeze", "golden/tickets.jsonl", cwd=elsewhere).stdout
    done(goldwatch, "run", cwd=elsewhere, code=3)  # nobody answers there
    assert (elsewhere / "goldwatch.db").exists()
    assert "inconclusive" in done(goldwatch, "history", "my-model", cwd=elsewhere).stdout
    assert {path.name for path in (elsewhere / "golden").iterdir()} == {"tickets.jsonl", "tickets.jsonl.lock"}


def test_it_migrates_an_older_store(installed: Path, elsewhere: Path) -> None:
    """The migrations run from the first to the newest as they were installed."""
    code = (
        "from sqlalchemy import create_engine\n"
        "from service.store.schema import HEAD, migrate, revision\n"
        "with create_engine('sqlite:///old.db').begin() as connection:\n"
        "    migrate(connection, None, 'old.db')\n"
        "    print(revision(connection) == HEAD)\n"
    )
    assert done(installed / "python", "-c", code, cwd=elsewhere).stdout.strip() == "True"


def test_it_brings_its_demo_and_its_pages(installed: Path, elsewhere: Path) -> None:
    """What is read beside the code is found beside the code."""
    code = (
        "from importlib.resources import files\n"
        "from service.golden import check_lock\n"
        "from service.web.render import Renderer\n"
        "golden = check_lock(files('service') / 'demo' / 'golden.jsonl')\n"
        "environment = Renderer(None, None)._env\n"
        "templates = environment.list_templates()\n"
        "print(len(golden.examples), *(environment.get_template(name).filename for name in templates))\n"
    )
    examples, *templates = done(installed / "python", "-W", "error", "-c", code, cwd=elsewhere).stdout.split()
    assert int(examples) > 0
    assert len(templates) == len(list((ROOT / "service" / "web" / "templates").iterdir()))
    assert all(Path(template).is_relative_to(installed.parent) for template in templates)
