"""The Grafana dashboard and the alert rules speak of figures that exist, and the handbook of every alert."""

import json
import re
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from tests.support.accepting import record, take
from tests.support.serving import ROOT
from transactions.metrics.counters import FLUSH_RECORDS, REQUEST_SECONDS, tally
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((ROOT / "deploy/grafana/transactions.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
HANDBOOK = (ROOT / "docs/operations.md").read_text()
# Those of a Redis with replicas, by their labels.
OF_REPLICAS: dict[str, set[str]] = {
    "transactions_replicas_online": set(),
    "transactions_replicas_wanted": set(),
    "transactions_sentinels_answering": set(),
    "transactions_sentinels_wanted": set(),
    "transactions_confirmations_failed_total": set(),
    "transactions_confirmation_wait_seconds_bucket": {"le"},
    "transactions_redis_primary_info": {"address"},
    "transactions_last_failover_timestamp_seconds": set(),
}
NAME = re.compile(r"\btransactions_\w+")


def expressions() -> list[str]:
    return [rule["expr"] for rule in RULES] + [
        target["expr"] for panel in PANELS for target in panel["targets"]
    ]


@pytest.fixture
def series(client: Client, people: list[User]) -> dict[str, set[str]]:
    """Every series that /metrics shows of a system that has worked, and the labels that it has."""
    take(record("T1", people[0]))
    flush()
    tally.observe(REQUEST_SECONDS, 0.1, "add-transaction")
    tally.observe(FLUSH_RECORDS, 1)
    counted = ("rule_hits|1|1", "rule_failures|1|1", "rule_microseconds|1|1")
    for field in ("requests|add-transaction|200", "websocket_closed|4008", *counted):
        tally.add(field)
    families = text_string_to_metric_families(client.get("/metrics").content.decode())
    found = {name: set(labels) for name, labels in OF_REPLICAS.items()}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_figure_that_is_shown_or_watched_exists(series: dict[str, set[str]]) -> None:
    used = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(used) > 20
    assert used - series.keys() == set()


def test_every_figure_that_exists_is_shown_or_watched(series: dict[str, set[str]]) -> None:
    used = {name for expression in expressions() for name in NAME.findall(expression)}
    bare = {re.sub("_(bucket|count|sum)$", "", name) for name in used}
    assert {re.sub("_(bucket|count|sum)$", "", name) for name in series} - bare == set()


def test_labels_are_those_that_the_figure_has(series: dict[str, set[str]]) -> None:
    seen = 0
    for expression in expressions():
        for name, labels in re.findall(r"\b(transactions_\w+)\{([^}]*)\}", expression):
            assert set(re.findall(r"(\w+)\s*[=!]", labels)) <= series[name], expression
            seen += 1
        for labels in re.findall(r"sum by \(([^)]*)\)", expression):
            (name,) = NAME.findall(expression)
            assert set(re.findall(r"\w+", labels)) <= series[name], expression
    assert seen > 5


def test_every_alert_has_a_section_of_the_handbook_and_every_section_an_alert() -> None:
    sections = re.findall(r"^### (Transactions\w+)$", HANDBOOK, re.MULTILINE)
    assert sorted(sections) == sorted(rule["alert"] for rule in RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "warn")
        assert rule["annotations"]["summary"].endswith(".")


def test_brackets_of_every_expression_match() -> None:
    for expression in expressions():
        for one, other in ("()", "[]", "{}"):
            assert expression.count(one) == expression.count(other), expression


def test_panels_lie_beside_each_other_and_bear_a_name() -> None:
    covered: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & covered
        covered |= cells
        assert panel["title"]
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_the_handbook_explains_every_figure_by_its_name(series: dict[str, set[str]]) -> None:
    named = set(NAME.findall(HANDBOOK))
    missing = {re.sub("_(bucket|count|sum)$", "", name) for name in series.keys() - OF_REPLICAS} - named
    assert missing == set()
