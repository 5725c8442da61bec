"""What PostgreSQL refuses: whether somebody else came between, or a constraint of ours was broken by us."""

import pytest
from rest_framework.test import APIClient

from transactions.rules import lifecycle
from transactions.rules.models import Rule, Version

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def submitting(api: APIClient) -> str:
    """The path of a draft's next step."""
    version = lifecycle.draft(Rule.objects.create(name="Large"), "amount", {"amount": 5})
    return f"/api/rules/{version.rule_id}/versions/{version.number}/submit/"


def test_a_constraint_that_we_break_is_a_fault_of_the_server(
    api: APIClient, submitting: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api.raise_request_exception = False
    monkeypatch.setattr(lifecycle, "submit", lambda *args: Version.objects.update(state="GONE"))
    assert api.post(submitting).status_code == 500
    assert any(record.exc_info for record in caplog.records)
    assert Version.objects.get().state == "DRAFT"


def test_what_somebody_else_made_meanwhile_is_a_conflict(
    api: APIClient, submitting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = {"number": 1, "kind": "amount", "parameters": {"amount": 6}}
    monkeypatch.setattr(
        lifecycle, "submit", lambda version, by: Version.objects.create(rule=version.rule, **same)
    )
    answer = api.post(submitting)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "Somebody changed this at the same time. Look at it again."}
