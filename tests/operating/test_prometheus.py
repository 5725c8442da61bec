"""Prometheus itself takes the rules and the example, and each alert fires when it should and not before."""

import io
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from django.core.management import call_command

from dev.ports import free_port
from tests.support.serving import ROOT, daphne, stop

DEPLOYED = ROOT / "deploy" / "prometheus"
CASES = ROOT / "tests" / "operating" / "alerts.yml"
READY_S = 60.0
PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(
    PROMTOOL is None or PROMETHEUS is None,
    reason="promtool or prometheus is not installed: apt-get install prometheus",
)


def alerts() -> list[str]:
    groups = yaml.safe_load((DEPLOYED / "alerts.yml").read_text())["groups"]
    return sorted(rule["alert"] for group in groups for rule in group["rules"])


def promtool(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(PROMTOOL), *arguments], capture_output=True, text=True)


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    asked = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test["alert_rule_test"]]

    assert sorted({case["alertname"] for case in asked if case.get("exp_alerts")}) == alerts()
    assert sorted({case["alertname"] for case in asked if not case.get("exp_alerts")}) == alerts()


@needs_prometheus
@pytest.mark.slow
def test_each_alert_fires_when_its_bound_is_passed_and_not_at_it() -> None:
    result = promtool("test", "rules", str(CASES))

    assert result.returncode == 0, result.stderr


@needs_prometheus
@pytest.mark.slow
@pytest.mark.parametrize(
    ("written", "wrong"),
    [("transactions_oldest_seconds > 60", "transactions_oldest_seconds >= 60"), ("for: 30s", "for: 0s")],
    ids=["its bound", "its patience"],
)
def test_a_rule_that_says_something_else_would_be_found(written: str, wrong: str, tmp_path: Path) -> None:
    text = (DEPLOYED / "alerts.yml").read_text()
    assert text.count(written) == 1
    (tmp_path / "alerts.yml").write_text(text.replace(written, wrong))
    cases = tmp_path / "cases.yml"
    cases.write_text(CASES.read_text().replace("../../deploy/prometheus/alerts.yml", "alerts.yml"))

    assert promtool("test", "rules", str(cases)).returncode != 0


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[httpx.Client]:
    """Prometheus with the example and the rules, every second, asking a service of the tests."""
    token = tmp_path / "transactions-token"
    with token.open("w") as file:
        call_command("create_token", "prometheus", rights="read", stdout=file, stderr=io.StringIO())
    shutil.copy(DEPLOYED / "alerts.yml", tmp_path)
    port = free_port()
    with daphne() as url:
        moved = {"/etc/prometheus/transactions-token": str(token), "localhost:8000": url.partition("//")[2]}
        text = (DEPLOYED / "prometheus.yml").read_text().replace("interval: 15s", "interval: 1s")
        for there, here in moved.items():
            assert text.count(there) == 1
            text = text.replace(there, here)
        (tmp_path / "prometheus.yml").write_text(text)
        process = subprocess.Popen(
            [
                str(PROMETHEUS),
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/series",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False) as client:
                yield client
        finally:
            stop(process)


def told(client: httpx.Client, path: str, **query: str) -> Any:
    """What it says once it has something to say."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            answer = client.get(path, params=query).json()["data"]
        except httpx.TransportError:
            answer = {}
        if any(answer.values()) and "unknown" not in str(answer):
            return answer
        assert time.monotonic() < deadline, answer
        time.sleep(0.3)


@needs_prometheus
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_prometheus_scrapes_the_service_by_the_example_and_evaluates_every_rule(
    prometheus: httpx.Client,
) -> None:
    (target,) = told(prometheus, "targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")

    (group,) = told(prometheus, "rules")["groups"]
    assert sorted(rule["name"] for rule in group["rules"]) == alerts()
    assert {(rule["health"], rule.get("lastError", "")) for rule in group["rules"]} == {("ok", "")}

    (sample,) = told(prometheus, "query", query='transactions_store_up{store="redis"}')["result"]
    assert (sample["metric"]["job"], sample["value"][1]) == ("transactions", "1")
