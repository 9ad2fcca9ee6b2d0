"""deploy/kubernetes: what refers to something refers to something that is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from cli.main import receipts
from core.settings import Settings, parse
from schemas import topics
from sinks.worker import GROUP as SINKS
from tests.deploy.secured import ROOT

FOLDER = ROOT / "deploy/kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    made for name in KUSTOMIZATION["resources"] for made in yaml.safe_load_all((FOLDER / name).read_text())
]
SECRETS = {made["metadata"]["name"]: made for made in yaml.safe_load_all((FOLDER / "secret.example.yaml").read_text())}
CONFIG = dict(line.split("=", 1) for line in (FOLDER / "config.env").read_text().split())
VARIABLES = {field.alias for field in Settings.model_fields.values()}
WORKLOADS = [made for made in OBJECTS if made["kind"] in ("StatefulSet", "Deployment", "Job")]
ROLES = [made for made in WORKLOADS if made["kind"] != "Job"]
PODS = {made["metadata"]["name"]: made["spec"]["template"] for made in WORKLOADS}
PORTS = {"ingest": CONFIG["INGEST_PORT"], "dashboard": CONFIG["DASHBOARD_PORT"]}


def of(kind: str) -> list[dict[str, Any]]:
    """Return the objects of a kind."""
    return [made for made in OBJECTS if made["kind"] == kind]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all containers of a pod."""
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def test_settings_are_known_and_fit_together() -> None:
    given = CONFIG | {key: value for key, value in SECRETS["receiptstream"]["stringData"].items() if value}
    assert set(given) <= VARIABLES
    assert parse(given).kafka_topics == "check"


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_locked_and_refers_to_what_is_there(name: str) -> None:
    pod = PODS[name]
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == name
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    claims = [
        claim["metadata"]["name"]
        for made in WORKLOADS
        if made["metadata"]["name"] == name
        for claim in made["spec"].get("volumeClaimTemplates", ())
    ]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    for container in containers(pod):
        (command,) = container["args"]
        assert receipts.get_command(None, command) is not None  # type: ignore[arg-type]
        assert {mount["name"] for mount in container["volumeMounts"]} <= {*volumes, *claims}
        names = {next(iter(source.values()))["name"] for source in container["envFrom"]}
        assert names <= {*SECRETS, *(each["name"] for each in KUSTOMIZATION["configMapGenerator"])}
        assert {each["name"] for each in container.get("env", ())} <= VARIABLES
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["resources"]["limits"]["memory"]
    for volume in volumes.values():
        assert volume.get("secret", {}).get("secretName", "receiptstream-ca") in SECRETS
    paths = [value for key, value in CONFIG.items() if key.endswith("_CA_FILE")]
    (mounted,) = {m["mountPath"] for each in containers(pod) for m in each["volumeMounts"] if m["name"] == "ca"}
    assert set(paths) == {f"{mounted}/{key}" for key in SECRETS["receiptstream-ca"]["stringData"]}


@pytest.mark.parametrize("made", ROLES, ids=lambda made: str(made["metadata"]["name"]))
def test_a_role_is_probed_where_it_answers(made: dict[str, Any]) -> None:
    name = made["metadata"]["name"]
    assert made["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": name}
    (container,) = PODS[name]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert list(ports.values()) == [int(PORTS.get(name, CONFIG["METRICS_PORT"]))]
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"]["path"] == path
        assert container[probe]["httpGet"]["port"] in ports
    assert PODS[name]["metadata"]["annotations"]["prometheus.io/port"] == str(*ports.values())


def test_every_role_has_a_service_and_a_budget_for_disruptions() -> None:
    names = {made["metadata"]["name"] for made in ROLES}
    assert names == {"ingest", "processor", "sink", "notifier", "dashboard"}
    services = {made["metadata"]["name"]: made["spec"] for made in of("Service")}
    assert {made["metadata"]["name"] for made in of("PodDisruptionBudget")} == names
    assert set(services) - {"ingest-pods"} == names
    for service in services.values():
        (container,) = PODS[service["selector"]["app.kubernetes.io/name"]]["spec"]["containers"]
        (port,) = service["ports"]
        assert port["targetPort"] in {each["name"] for each in container["ports"]}
    for made in of("StatefulSet"):
        assert services[made["spec"]["serviceName"]]["selector"] == made["spec"]["selector"]["matchLabels"]


def test_the_dashboard_asks_every_ingress_by_its_own_name() -> None:
    (ingest,) = [made["spec"] for made in of("StatefulSet") if made["metadata"]["name"] == "ingest"]
    headless = [made["metadata"]["name"] for made in of("Service") if made["spec"].get("clusterIP") == "None"]
    assert ingest["serviceName"] in headless
    urls = [f"http://ingest-{number}.{ingest['serviceName']}:8080" for number in range(ingest["replicas"])]
    assert CONFIG["DASHBOARD_INGEST_URLS"].split(",") == urls


def test_scaling_follows_the_groups_and_stays_within_the_partitions() -> None:
    scaled = {made["metadata"]["name"]: made["spec"] for made in of("ScaledObject")}
    triggers = {name: spec["triggers"][0]["metadata"] for name, spec in scaled.items()}
    assert {name: trigger["consumerGroup"] for name, trigger in triggers.items()} == {
        "processor": topics.APP_ID,
        "sink": SINKS,
    }
    kinds = {made["metadata"]["name"]: made["kind"] for made in ROLES}
    for name, spec in scaled.items():
        assert spec["scaleTargetRef"] == {"kind": kinds[name], "name": name}
        assert spec["maxReplicaCount"] <= int(CONFIG["RAW_PARTITIONS"])
        assert triggers[name]["topic"] == topics.RAW
        assert triggers[name]["bootstrapServers"] == CONFIG["KAFKA_BOOTSTRAP_SERVERS"]
        (authentication,) = of("TriggerAuthentication")
        assert spec["triggers"][0]["authenticationRef"]["name"] == authentication["metadata"]["name"]
    for each in authentication["spec"]["secretTargetRef"]:
        assert each["key"] in SECRETS[each["name"]]["stringData"]


def test_the_network_lets_each_role_reach_what_it_uses() -> None:
    ports: dict[str, set[int]] = {name: set() for name in PODS}
    for policy in of("NetworkPolicy"):
        (expression,) = policy["spec"]["podSelector"].get("matchExpressions", [{"values": list(PODS)}])
        assert set(expression["values"]) <= set(PODS)
        for name in expression["values"]:
            ports[name] |= {each["port"] for rule in policy["spec"].get("egress", ()) for each in rule["ports"]}
    kafka, clickhouse = (
        int(re.findall(r":(\d+)$", CONFIG[key])[0]) for key in ("KAFKA_BOOTSTRAP_SERVERS", "CLICKHOUSE_URL")
    )
    assert all(kafka in found for found in ports.values())
    assert {name for name, found in ports.items() if clickhouse in found} == {"setup", "sink", "notifier", "dashboard"}


def test_kustomize_builds_it() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: kustomize itself is not run")
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = [made for made in yaml.safe_load_all(done.stdout) if made["kind"] in ("StatefulSet", "Deployment")]
    for made in built:
        (container,) = made["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "receiptstream:0.1.0"
        assert container["envFrom"][0]["configMapRef"]["name"].startswith("receiptstream-")
