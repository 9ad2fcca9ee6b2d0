"""Dashboards and alert rules: each metric and label that they use exists."""

from __future__ import annotations

import json
from typing import Any

import promql_parser as promql
import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from core import metrics
from tests.deploy.secured import ROOT

DEPLOY = ROOT / "deploy"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
BOARDS = {path.name: json.loads(path.read_text()) for path in (DEPLOY / "grafana/dashboards").glob("*.json")}
PANELS = [panel for board in BOARDS.values() for panel in board["panels"] if panel["type"] != "row"]
TARGET = {"job", "instance"}
"""The labels that Prometheus itself gives."""
SERIES = {Counter: ("_total",), Gauge: ("",), Histogram: ("_bucket", "_sum", "_count")}


def known() -> dict[str, set[str]]:
    """Return the labels of every series that the roles tell, by name."""
    found: dict[str, set[str]] = {"up": TARGET}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            for suffix in SERIES[type(metric)]:
                le = {"le"} if suffix == "_bucket" else set()
                found[metric._name + suffix] = {*metric._labelnames, *le, *TARGET}
    return found


KNOWN = known()


def labels_of(node: Any) -> set[str]:
    """Return the labels that the vector of an expression can have, having checked every selector and grouping in it."""
    if isinstance(node, promql.VectorSelector):
        assert node.name in KNOWN, node.name
        assert {matcher.name for matcher in node.matchers.matchers} <= KNOWN[node.name], str(node)
        return KNOWN[node.name]
    if isinstance(node, promql.MatrixSelector):
        return labels_of(node.vector_selector)
    if isinstance(node, promql.AggregateExpr):
        inner = labels_of(node.expr)
        if node.modifier is None:
            return inner if str(node.op) in ("topk", "bottomk") else set()
        assert set(node.modifier.labels) <= inner, str(node)
        return set(node.modifier.labels)
    if isinstance(node, promql.Call):
        found = [labels_of(argument) for argument in node.args]
        if node.func.name == "histogram_quantile":
            assert "le" in found[1], str(node)
        return set().union(*found) - ({"le"} if node.func.name == "histogram_quantile" else set())
    if isinstance(node, promql.BinaryExpr):
        return labels_of(node.lhs) | labels_of(node.rhs)
    if isinstance(node, promql.ParenExpr | promql.UnaryExpr):
        return labels_of(node.expr)
    assert isinstance(node, promql.NumberLiteral | promql.StringLiteral), type(node)
    return set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_uses_series_and_labels_that_exist(rule: dict[str, Any]) -> None:
    labels = labels_of(promql.parse(rule["expr"]))
    for word in rule["annotations"]["summary"].split("$labels.")[1:]:
        assert word.split(" ")[0].rstrip("}") in labels
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"]["summary"]


def test_alerts_have_different_names() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_uses_series_and_labels_that_exist(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        labels = labels_of(promql.parse(target["expr"]))
        shown = {part.split("}}")[0] for part in target["legendFormat"].split("{{")[1:]}
        assert shown <= labels, target
        assert target["datasource"]["uid"] == "prometheus"


def test_every_metric_is_shown_somewhere() -> None:
    text = json.dumps(BOARDS) + json.dumps(RULES)
    names = {metric._name for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase)}
    assert {name for name in names if name not in text} == set()


def test_boards_do_not_overlap() -> None:
    for board in BOARDS.values():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken, panel["title"]
            assert at["x"] + at["w"] <= 24
            taken |= cells


def test_grafana_is_given_the_source_that_the_boards_name() -> None:
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert source["uid"] == "prometheus"
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)
