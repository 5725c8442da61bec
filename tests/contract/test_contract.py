"""schemathesis makes up requests from the OpenAPI schema and holds the running server's answers to it."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.support.serving import ROOT, collect_static_files, daphne
from transactions.access.tokens import create
from transactions.alerts.models import Alert, Snooze
from transactions.notifications.models import Endpoint
from transactions.rules import lifecycle
from transactions.rules.models import Rule, UserList

pytestmark = pytest.mark.django_db(transaction=True)


# Made-up requests of each call, beside those that the schema's bounds and examples give.
EXAMPLES = "100"
SEEN_AT_LEAST = {
    "POST /api/add-transaction/": {200, 400, 401, 409, 415},
    "POST /api/add-transactions/": {200, 400, 401, 415},
    "DELETE /api/delete-transactions/": {200, 401},
    "GET /api/audit/": {200, 400, 401},
    "GET /api/transactions/": {200, 400, 401},
    "GET /api/transactions/*": {200, 401, 404},
    "GET /api/transactions/average/": {200, 400, 401},
    "GET /api/pipeline/": {200, 401},
    "GET /api/docs/": {200, 401},
    "GET /api/rules/": {200, 400, 401},
    "POST /api/rules/": {201, 400, 401, 409, 415},
    "GET /api/rules/*/": {200, 401, 404},
    "PATCH /api/rules/*/": {200, 400, 401, 404},
    "GET /api/rules/*/hits/": {200, 400, 401, 404},
    "POST /api/rules/*/versions/": {201, 400, 401, 404},
    "GET /api/rules/*/versions/*/": {200, 401, 404},
    "POST /api/rules/*/versions/*/submit/": {200, 400, 401, 404, 409},
    "POST /api/rules/*/versions/*/approve/": {200, 400, 401, 404, 409},
    "POST /api/rules/*/versions/*/retire/": {200, 400, 401, 404, 409},
    "GET /api/rules/schema/": {200, 401},
    "GET /api/rules/export/": {200, 400, 401},
    "POST /api/rules/import/": {200, 400, 401, 415},
    "GET /api/rules/lists/": {200, 400, 401},
    "POST /api/rules/lists/": {201, 400, 401, 409},
    "GET /api/rules/lists/*/": {200, 401, 404},
    "GET /api/rules/lists/*/entries/": {200, 400, 401, 404},
    "POST /api/rules/lists/*/entries/": {200, 400, 401, 404},
    "POST /api/rules/lists/*/entries/*/end/": {400, 401, 404},
    "GET /api/rules/performance/": {200, 400, 401},
    "GET /api/alerts/": {200, 400, 401},
    "GET /api/alerts/counts/": {200, 401},
    "GET /api/alerts/*/": {200, 401, 404},
    "POST /api/alerts/*/claim/": {400, 401, 404, 409},
    "POST /api/alerts/*/note/": {200, 400, 401, 404},
    "POST /api/alerts/*/close/": {400, 401, 404, 409},
    "POST /api/alerts/*/snooze/": {400, 404, 409},
    "POST /api/alerts/*/undo/": {400, 401, 404, 409},
    "POST /api/alerts/bulk/": {200, 400, 401},
    "GET /api/snoozes/": {200, 400, 401},
    "POST /api/snoozes/*/end/": {400, 401, 404, 409},
    "GET /api/events/": {200, 400, 401},
    "GET /api/webhooks/": {200, 400, 401},
    "POST /api/webhooks/": {201, 400, 401, 415},
    "GET /api/webhooks/*/": {200, 401, 404},
    "PATCH /api/webhooks/*/": {200, 400, 401, 404},
    "DELETE /api/webhooks/*/": {401, 404},
    "POST /api/webhooks/*/rotate/": {200, 400, 401, 404},
    "POST /api/webhooks/*/off/": {400, 401, 404, 409},
    "POST /api/webhooks/*/on/": {400, 401, 404, 409},
    "POST /api/webhooks/*/test/": {400, 401, 404},
    "GET /api/webhooks/*/deliveries/": {200, 400, 401, 404},
    "POST /api/webhooks/*/deliveries/*/send-again/": {400, 404},
    "GET /metrics": {200, 401},
    "GET /livez": {200},
    "GET /readyz": {200},
}
DELETES_ALL, READINESS = "deleteTransactions", "ready"
# Whose paths have keys of rows.
KEYED = ("/api/rules/", "/api/alerts/", "/api/snoozes/", "/api/webhooks/")
TOOL = Path(sys.executable).with_name("schemathesis")
CONTRACT = Path(__file__).parent


@pytest.fixture
def server(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    collect_static_files()
    # No flush runs here; readiness is not to wait for one.
    with daphne(
        log=tmp_path / "log",
        ALLOW_ANONYMOUS_API="false",
        FLUSH_INTERVAL_SECONDS="3600",
        FOUR_EYES="false",
        WEBHOOK_SECRET_KEYS="k" * 32,
        # So that a record may state one.
        CURRENCY="EUR",
    ) as url:
        yield url


def test_no_answer_is_outside_the_schema(server: str, tmp_path: Path) -> None:
    """Every status, header and body of some thousand answers, the same requests each time."""
    User.objects.create_superuser(pk=1, username="of the examples")
    token, _ = create("contract", username="of the examples")
    rule, users = Rule.objects.create(name="Of the contract"), UserList.objects.create(name="Of the contract")
    alert, free = (
        Alert.objects.create(rule=rule.pk, rule_name=rule.name, severity="HIGH", user=user) for user in (1, 2)
    )
    tomorrow = timezone.now() + timedelta(days=1)
    snooze = Snooze.objects.create(rule=rule.pk, user=2, reason="Of the contract", ends_at=tomorrow)
    webhook = Endpoint.objects.create(url="https://example.org/", secret="of the contract")
    for amount in range(1, 10):
        version = lifecycle.draft(rule, "amount", {"amount": amount})
        if amount > 4:
            lifecycle.submit(version)
    keys = {
        **{"RULE_ID": str(rule.pk), "LIST_ID": str(users.pk), "WEBHOOK_ID": str(webhook.pk)},
        **{"ALERT_ID": str(alert.pk), "FREE_ALERT_ID": str(free.pk), "SNOOZE_ID": str(snooze.pk)},
    }
    # Readiness comes first: no worker tells anybody here, and it complains of a message that has waited long.
    # What removes all alerts comes last.
    seen = made_up(server, token, keys, tmp_path, "--include-operation-id", READINESS)
    others = (each for name in (READINESS, DELETES_ALL) for each in ("--exclude-operation-id", name))
    seen |= made_up(server, token, keys, tmp_path, *others)
    seen |= made_up(server, token, keys, tmp_path, "--include-operation-id", DELETES_ALL)
    # Enough was accepted for this to mean something.
    missed = {call: wanted - seen[call] for call, wanted in SEEN_AT_LEAST.items()}
    assert {call: statuses for call, statuses in missed.items() if statuses} == {}
    assert not [status for found in seen.values() for status in found if status >= 500]


def made_up(server: str, token: str, keys: dict[str, str], at: Path, *which: str) -> dict[str, set[int]]:
    """Sends made-up requests of those calls; no answer was outside the schema. Returns what was seen."""
    done = subprocess.run(
        [
            *(TOOL, "--config-file", CONTRACT / "schemathesis.toml", "run", f"{server}/api/schema/"),
            *which,
            *("--header", f"Authorization: Bearer {token}"),
            *("--generation-deterministic", "--max-examples", EXAMPLES, "--continue-on-failure"),
            *("--no-color", "--report", "har", "--report-har-path", at / "seen.json"),
        ],
        cwd=at,
        env={**os.environ, **keys, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.contract.hooks"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return statuses(json.loads((at / "seen.json").read_text()))


def statuses(archive: Any) -> dict[str, set[int]]:
    """The statuses that were seen, by method and path; * is an id or a number."""
    seen = defaultdict(set)
    for entry in archive["log"]["entries"]:
        path = re.sub("^(/api/transactions/)(?!average/).+", r"\1*", urlsplit(entry["request"]["url"]).path)
        path = re.sub("(?<=/)[0-9]+(?=/)", "*", path) if path.startswith(KEYED) else path
        seen[f"{entry['request']['method']} {path}"].add(entry["response"]["status"])
    return seen
