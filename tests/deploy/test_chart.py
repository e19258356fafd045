"""Does the Helm chart make what Kubernetes takes, what goldwatch reads, and refuse what would not work?

With the real Helm and kubectl, and the schemas of Kubernetes; a cluster is not needed.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.config import load
from service.config.daemon_parts import Alerting, Web
from service.config.models import Config

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/goldwatch"
RULES = ROOT / "deploy/prometheus/rules.yml"
SERVICE, SIDECAR = CHART / "ci/service-values.yaml", CHART / "ci/sidecar-values.yaml"
OLDEST, NEWEST = "1.27", "1.37"
COMBINATIONS = {
    "service": (SERVICE,),
    "one replica, no policy": (SERVICE, "replicas=1", "workers.replicas=0", "networkPolicy.enabled=false"),
    "prometheus pages": (SERVICE, "alerting.owner=prometheus", "monitoring.enabled=auto"),
    "nobody may read": (SERVICE, "networkPolicy.from=null", "serviceAccount.name=there", "nameOverride=watch"),
    "placed": (
        SERVICE, "nodeSelector.disk=fast", "tolerations[0].key=gpu", "tolerations[0].operator=Exists",
        "priorityClassName=high", "image.pullSecrets[0]=pull", "podAnnotations.a=b", "podLabels.c=d",
        "extraVolumes[0].name=more", "extraVolumes[0].emptyDir.medium=Memory", "image.digest=", "image.tag=v2",
        "extraVolumeMounts[0].name=more", "extraVolumeMounts[0].mountPath=/more", "web.port=9999",
        "networkPolicy.egress[0].ports[0].port=6443", "networkPolicy.egressPorts=null",
    ),
    "rollouts": (
        SERVICE, "config.targets[0].deployments.kubernetes=models/ticket-router", "networkPolicy.egressPorts=null",
        "config.web.webhooks.mlflow_secret_file=/secrets/mlflow/secret", "secrets.files.mlflow=mlflow",
        "config.targets[0].deployments.mlflow=router@champion",
    ),
    "sidecar": (SIDECAR,),
    "sidecar, there already": (SIDECAR, "sidecar.persistence.existingClaim=mine", "sidecar.fsGroup=null"),
    "sidecars": (SIDECAR, "sidecar.replicas=3", "store.secret.name=pg", "secrets.files.k=key"),
}  # fmt: skip
EVERY = pytest.mark.parametrize("name", COMBINATIONS)
MODEL = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: ticket-router}
spec:
  selector: {matchLabels: {app: ticket-router}}
  template:
    metadata: {labels: {app: ticket-router}}
    spec:
      containers:
        - name: model
          image: registry.example.com/model:1
          readinessProbe: {httpGet: {path: /health, port: 8000}}
          volumeMounts: [{name: weights, mountPath: /weights}]
      volumes: [{name: weights, emptyDir: {}}]
"""
Render = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def render(tool: Any) -> Render:
    """The documents that the chart makes of a file of values and more of them, as on a command line."""
    made: dict[Any, str] = {}

    def rendered(values: Path, *sets: str, chart: Path = CHART) -> list[dict[str, Any]]:
        key = (values, sets, chart)
        if key not in made:
            more = [word for one in sets for word in ("--set", one)]
            done = tool("helm", "template", "gw", str(chart), "--namespace", "ml", "-f", str(values), *more)
            assert done.returncode == 0, done.stderr
            made[key] = done.stdout
        return [document for document in yaml.safe_load_all(made[key]) if document]

    return rendered


def of_kind(documents: list[dict[str, Any]], kind: str, ending: str = "") -> dict[str, Any]:
    (found,) = (
        one for one in documents if one["kind"] == kind and one["metadata"]["name"] == f"gw-goldwatch{ending}"
    )
    return found


def patch(documents: list[dict[str, Any]]) -> dict[str, Any]:
    return yaml.safe_load(of_kind(documents, "ConfigMap", "-patch")["data"]["patch.yaml"])


def pods(documents: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in documents:
        if one["kind"] == "Deployment":
            yield one["spec"]["template"]["spec"]
        elif one["metadata"]["name"].endswith("-patch"):
            yield yaml.safe_load(one["data"]["patch.yaml"])["spec"]["template"]["spec"]


@pytest.mark.parametrize("values", [SERVICE, SIDECAR], ids=lambda path: path.stem)
def test_helm_finds_no_fault(tool: Any, values: Path) -> None:
    """``helm lint --strict`` is content with both shapes."""
    done = tool("helm", "lint", "--strict", str(CHART), "-f", str(values))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_it(tool: Any, render: Render, tmp_path: Path, version: str) -> None:
    """Every combination fits the schemas of the oldest and the newest Kubernetes, without an unknown key."""
    files = []
    for number, values in enumerate(COMBINATIONS.values()):
        kept = [one for one in render(*values) if "coreos" not in one["apiVersion"]]
        files.append(tmp_path / f"{number}.yaml")
        files[-1].write_text(yaml.safe_dump_all(kept), "utf-8")
    done = tool("kubernetes-validate", "--strict", "--quiet", "--no-warn", "-k", version, *map(str, files))
    assert done.returncode == 0, done.stdout + done.stderr


@EVERY
def test_goldwatch_reads_what_the_chart_writes(render: Render, name: str, tmp_path: Path) -> None:
    """The configuration is valid, knows who pages, and keeps its history where it may write."""
    documents = render(*COMBINATIONS[name])
    (written,) = (one for one in documents if "goldwatch.yaml" in one.get("data", {}))
    (tmp_path / "goldwatch.yaml").write_text(written["data"]["goldwatch.yaml"], "utf-8")
    config = load(tmp_path / "goldwatch.yaml")
    said = {one for one in COMBINATIONS[name] if isinstance(one, str)}
    prometheus = COMBINATIONS[name][0] == SIDECAR or "alerting.owner=prometheus" in said
    assert config.alerting.owner == ("prometheus" if prometheus else "goldwatch")
    shared = COMBINATIONS[name][0] == SERVICE or "store.secret.name=pg" in said
    assert config.store_env == ("GOLDWATCH_STORE_URL" if shared else None)
    assert config.store == (None if shared else "sqlite:////data/goldwatch.db")
    assert config.web.listen == f"0.0.0.0:{9999 if name == 'placed' else 9790}"


@EVERY
def test_it_has_no_rights(render: Render, name: str) -> None:
    """Each container is what the restricted Pod security standard asks for, and its root is read-only."""
    for pod in pods(render(*COMBINATIONS[name])):
        assert not pod.get("hostNetwork")
        assert "hostPath" not in json.dumps(pod["volumes"])
        for container in pod["containers"]:
            secured = container["securityContext"]
            assert secured["runAsNonRoot"]
            assert secured["runAsUser"] == 65532
            assert secured["readOnlyRootFilesystem"]
            assert not secured["allowPrivilegeEscalation"]
            assert secured["capabilities"] == {"drop": ["ALL"]}
            assert secured["seccompProfile"] == {"type": "RuntimeDefault"}
            assert container["resources"]["limits"]["memory"]
            mounted = {one["name"] for one in container["volumeMounts"]}
            assert mounted == {one["name"] for one in pod["volumes"]}


def test_only_the_named_deployment_can_be_read(render: Render) -> None:
    """Where rollouts are watched: one Role of one verb on one name, for serve's account alone; else no token at all."""
    documents = render(*COMBINATIONS["rollouts"])
    role, binding = (of_kind(documents, kind, "-ticket-router") for kind in ("Role", "RoleBinding"))
    assert role["rules"] == [
        {
            "apiGroups": ["apps"],
            "resources": ["deployments"],
            "resourceNames": ["ticket-router"],
            "verbs": ["get"],
        }
    ]
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "models"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "gw-goldwatch", "namespace": "ml"}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    mounted = [pod["automountServiceAccountToken"] for pod in pods(documents)]
    assert mounted == [True, False]  # serve, worker
    egress = of_kind(documents, "NetworkPolicy")["spec"]["egress"]
    assert any(port["port"] == 6443 for rule in egress for port in rule["ports"])
    plain = render(SERVICE)
    assert not [one for one in plain if one["kind"] == "Role"]
    assert not any(pod["automountServiceAccountToken"] for pod in pods(plain))


def test_the_service_shares_its_work(render: Render) -> None:
    """Workers make the runs where there are any, else serve does; an eviction leaves a replica of serve."""
    with_workers = render(SERVICE)
    assert (
        "--no-work"
        in of_kind(with_workers, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
    )
    worker = of_kind(with_workers, "Deployment", "-worker")
    assert worker["spec"]["replicas"] == 2
    assert worker["spec"]["template"]["spec"]["containers"][0]["args"][0] == "worker"
    budget = of_kind(with_workers, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert budget["app.kubernetes.io/component"] == "serve"
    alone = render(*COMBINATIONS["one replica, no policy"])
    assert (
        "--no-work" not in of_kind(alone, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
    )
    assert {"PodDisruptionBudget", "NetworkPolicy"}.isdisjoint(one["kind"] for one in alone)


def test_a_new_configuration_begins_a_new_pod_and_another_value_does_not(render: Render) -> None:
    """The Pod's annotation follows the configuration."""
    before, same, other = (
        of_kind(render(SERVICE, *sets), "Deployment")["spec"]["template"]["metadata"]["annotations"]
        for sets in ((), ("replicas=5",), ("config.log.level=debug",))
    )
    assert before == same != other


def test_the_rules_are_the_same(render: Render) -> None:
    """The chart's copy is the rules file; what it installs is that, with the links to one's own Grafana."""
    assert (CHART / "files/rules.yml").read_bytes() == RULES.read_bytes()
    text = RULES.read_text("utf-8")
    assert of_kind(render(SIDECAR), "PrometheusRule")["spec"] == yaml.safe_load(text)
    linked = yaml.safe_load(text.replace("grafana.example.com", "grafana.example.org"))
    assert of_kind(render(SERVICE), "PrometheusRule")["spec"] == linked


def test_prometheus_finds_it(render: Render) -> None:
    """The ServiceMonitor selects the Service, by labels and port name; without the operator nothing is made for it."""
    for values in (SERVICE, SIDECAR):
        documents = render(values)
        monitor, service = of_kind(documents, "ServiceMonitor")["spec"], of_kind(documents, "Service")
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert [one["port"] for one in monitor["endpoints"]] == [
            one["name"] for one in service["spec"]["ports"]
        ]
    assert "ServiceMonitor" not in {one["kind"] for one in render(*COMBINATIONS["prometheus pages"])}


def test_a_sidecar_cannot_unready_its_model(render: Render) -> None:
    """No probe, a first process that does not end, and metrics that are reached while the model is not ready."""
    documents = render(SIDECAR)
    ((container,),) = (pod["containers"] for pod in pods(documents))
    assert not [key for key in container if key.endswith("Probe")]
    assert container["command"] == ["python", "-m", "service.sidecar"]
    service = of_kind(documents, "Service")["spec"]
    assert service["publishNotReadyAddresses"]
    assert service["selector"] == {"app": "ticket-router"}
    assert "Deployment" not in {one["kind"] for one in documents}


def test_the_patch_adds_to_the_model_and_takes_nothing(tool: Any, render: Render, tmp_path: Path) -> None:
    """kubectl merges it into a Deployment: the model's container, probe and volumes stay; the whole is valid."""
    made = patch(render(SIDECAR))
    named = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "ticket-router"}} | made
    (tmp_path / "model.yaml").write_text(MODEL, "utf-8")
    (tmp_path / "patch.yaml").write_text(yaml.safe_dump(named), "utf-8")
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [model.yaml]\npatches: [{path: patch.yaml}]\n", "utf-8"
    )
    done = tool("kubectl", "kustomize", str(tmp_path))
    assert done.returncode == 0, done.stderr
    pod, before = (yaml.safe_load(text)["spec"]["template"]["spec"] for text in (done.stdout, MODEL))
    containers = {one["name"]: one for one in pod["containers"]}
    assert set(containers) == {"model", "goldwatch"}
    assert containers["model"] == before["containers"][0]
    assert {"weights", "goldwatch-data", "goldwatch-golden"} <= {one["name"] for one in pod["volumes"]}
    (tmp_path / "whole.yaml").write_text(done.stdout, "utf-8")
    checked = tool("kubernetes-validate", "--strict", "--quiet", "-k", NEWEST, str(tmp_path / "whole.yaml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_models_own_chart_can_take_it_in(render: Render, tmp_path: Path) -> None:
    """A chart that has this one as a dependency includes container and volumes by name, as the chart's README says."""
    parent = tmp_path / "model"
    shutil.copytree(CHART, parent / "charts/goldwatch")
    (parent / "Chart.yaml").write_text("{apiVersion: v2, name: model, version: 1.0.0}\n", "utf-8")
    (parent / "templates").mkdir()
    told = (CHART / "README.md").read_text("utf-8").partition("```yaml\n# templates/")[2].partition("```")[0]
    head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: model}\nspec:\n  template:\n"
    (parent / "templates/deployment.yaml").write_text(head + told.partition("\n")[2], "utf-8")
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"goldwatch": yaml.safe_load(SIDECAR.read_text("utf-8"))}), "utf-8")
    documents = render(values, chart=parent)
    (model,) = (one for one in documents if one["kind"] == "Deployment")
    pod, (own,) = (
        model["spec"]["template"]["spec"],
        pods(one for one in documents if one["kind"] == "ConfigMap"),
    )
    assert pod["containers"][1:] == own["containers"]
    assert pod["volumes"][-len(own["volumes"]) :] == own["volumes"]


@pytest.mark.parametrize(
    ("values", "sets", "words"),
    [
        (SERVICE, ("store.secret.name=",), "store.secret.name is empty"),
        (SERVICE, ("golden.volume=null",), "no golden set"),
        (SERVICE, ("golden.files.a=b",), "golden.files and golden.volume"),
        (SERVICE, ("config.targets=null",), "targets"),
        (SERVICE, ("config.targets[0].golden=tickets.jsonl",), "^/golden/."),
        (SERVICE, ("config.alerting.owner=prometheus",), "owner"),
        (SERVICE, ("config.store=sqlite:///x",), "store"),
        (SERVICE, ("config.web.listen=:1",), "listen"),
        (SERVICE, ("alerting.owner=both",), "owner"),
        (SERVICE, ("shape=daemonset",), "shape"),
        (SERVICE, ("replica=3",), "replica"),
        (SERVICE, ("image.digest=latest",), "digest"),
        (SERVICE, ("secrets.env.GOLDWATCH_STORE_URL.name=a",), "GOLDWATCH_STORE_URL"),
        (SIDECAR, ("sidecar.replicas=2",), "or each would page"),
        (SIDECAR, ("sidecar.podLabels=null",), "sidecar.podLabels is empty"),
        (SIDECAR, ("image.tag=2",), "want string"),
        (SIDECAR, (r"golden.files.b\.jsonl=x",), "goldwatch freeze"),
    ],
)  # fmt: skip
def test_it_refuses_what_would_not_work(tool: Any, values: Path, sets: tuple[str, ...], words: str) -> None:
    """A wrong, unknown, missing or contradicting value stops Helm, and the words name it."""
    more = [word for one in sets for word in ("--set", one)]
    done = tool("helm", "template", "gw", str(CHART), "-f", str(values), *more)
    assert done.returncode != 0
    assert words in done.stderr


def test_every_value_has_its_schema_and_its_line() -> None:
    """The schema knows each key of values.yaml and no other; nothing beyond it is taken."""
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))

    def compare(given: dict[str, Any], known: dict[str, Any], place: str) -> None:
        assert known.get("additionalProperties") is False, place
        for key, one in given.items():
            if isinstance(one, dict) and known["properties"][key].get("properties"):
                compare(one, known["properties"][key], f"{place}.{key}")
        assert given.keys() <= known["properties"].keys(), place
        if not place.startswith((".config", ".resources", ".workers.resources")):
            assert known["properties"].keys() - {"global"} == given.keys(), place

    compare(values, schema, "")


def test_its_version_is_the_programs() -> None:
    """The chart installs the version that stands beside it."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert chart["appVersion"] == project["version"]


def test_every_section_of_the_configuration_can_be_a_value() -> None:
    """What goldwatch.yaml takes the chart takes under ``config``, but for what it writes itself."""
    written = {"": {"version", "store", "store_env"}, "web": {"listen", "token_env", "token_file"}}
    written["alerting"] = {"owner"}
    config = json.loads((CHART / "values.schema.json").read_text("utf-8"))["properties"]["config"][
        "properties"
    ]
    for place, model in (("", Config), ("web", Web), ("alerting", Alerting)):
        keys = {field.alias or name for name, field in model.model_fields.items()}
        known = config[place]["properties"] if place else config
        assert known.keys() == keys - written[place], place
