"""Steps with alerts by the API: with the version that was seen, one by one or many at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.support.alerts import Caller, caller, open_alert
from transactions.access.rights import Right
from transactions.alerts.models import Alert, AlertEvent, Snooze
from transactions.audit.models import Entry

pytestmark = pytest.mark.django_db(transaction=True)


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


@pytest.fixture
def alert(people: list[User]) -> Alert:
    return open_alert(people[0])


def test_an_alert_is_claimed_noted_closed_and_reopened(alert: Alert, ann: Caller) -> None:
    at = f"alerts/{alert.pk}"
    claimed = ann.post(f"{at}/claim/", {"version": 1})
    assert (claimed["state"], claimed["assignee"], claimed["version"]) == ("IN_REVIEW", "ann", 2)
    assert ann.post(f"{at}/note/", {"text": "Called them."})["version"] == 2
    closed = ann.post(
        f"{at}/close/", {"version": 2, "disposition": "FALSE_POSITIVE", "reason": "A new card."}
    )
    assert (closed["state"], closed["closed_by"], closed["disposition"], closed["reason"]) == (
        "CLOSED", "ann", "FALSE_POSITIVE", "A new card.",
    )  # fmt: skip
    assert ann.post(f"{at}/undo/", {"version": 3})["state"] == "IN_REVIEW"
    released = ann.post(f"{at}/release/", {"version": 4})
    assert (released["state"], released["assignee"]) == ("OPEN", None)
    assert [each["step"] for each in ann.get(f"{at}/")["events"]] == [
        "CLAIMED", "NOTED", "CLOSED", "UNDONE", "RELEASED",
    ]  # fmt: skip


def test_who_comes_second_is_told_who_did_what_and_nothing_is_overwritten(
    alert: Alert, ann: Caller, rob: Caller
) -> None:
    ann.post(f"alerts/{alert.pk}/claim/", {"version": 1})
    said = {"version": 1, "disposition": "EXPECTED", "reason": "known"}
    told = rob.post(f"alerts/{alert.pk}/close/", said, status=409)
    assert told.pop("at")
    assert told == {
        "detail": "It was claimed by ann meanwhile: nothing of yours was done. Look at it again.",
        "step": "CLAIMED", "by": "ann", "version": 2,
    }  # fmt: skip
    alert.refresh_from_db()
    assert (alert.state, alert.assignee, alert.version) == ("IN_REVIEW", ann.user, 2)


@pytest.mark.parametrize(
    ("step", "said", "status", "told"),
    [
        ("claim", {}, 400, {"version": ["This field is required."]}),
        (
            "claim",
            {"version": "one"},
            400,
            {"version": ["Expected an integer, or a string of digits."]},
        ),
        ("claim", {"version": 1, "Version": 1}, 400, {"Version": ['Unknown field. Did you mean "version"?']}),
        ("release", {"version": 1}, 409, {"detail": "Nobody has it."}),
        (
            "close",
            {"version": 1, "disposition": "MAYBE", "reason": "x"},
            400,
            {"disposition": ['"MAYBE" is not a valid choice.']},
        ),
        (
            "close",
            {"version": 1, "disposition": "EXPECTED", "reason": "a\u0007b"},
            400,
            {"reason": ["A reason has no control characters."]},
        ),
        (
            "assign",
            {"version": 1, "assignee": "vic"},
            400,
            {"assignee": ["vic has no right to work on alerts."]},
        ),
        (
            "snooze",
            {"version": 1, "until": "2020-01-01T00:00:00Z", "reason": "x"},
            409,
            {"detail": "Nobody has looked at it: claim it, or close it, before it is snoozed."},
        ),
        ("undo", {"version": 1}, 409, {"detail": "There is no step to undo."}),
        ("reopen", {"version": 1, "reason": "x"}, 409, {"detail": "It is not closed."}),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    alert: Alert, ann: Caller, vic: Caller, step: str, said: Any, status: int, told: Any
) -> None:
    assert ann.post(f"alerts/{alert.pk}/{step}/", said, status=status) == told
    assert not AlertEvent.objects.exists()


def test_a_snooze_is_listed_and_ended(alert: Alert, ann: Caller) -> None:
    at = f"alerts/{alert.pk}"
    ann.post(f"{at}/claim/", {"version": 1})
    told = ann.post(f"{at}/snooze/", {"version": 2, "until": in_days(200), "reason": "x"}, status=400)
    assert told == {"until": ["The end must be within the next 180 days."]}
    assert (
        ann.post(f"{at}/snooze/", {"version": 2, "until": in_days(30), "reason": "Travels."})["version"] == 3
    )
    (listed,) = ann.get("snoozes/?in_force=true")["results"]
    assert (listed["alert"], listed["user"], listed["reason"], listed["made_by"], listed["in_force"]) == (
        alert.pk, alert.user, "Travels.", "ann", True,
    )  # fmt: skip
    assert ann.get(f"{at}/")["snooze"]["id"] == listed["id"]
    ended = ann.post(f"snoozes/{listed['id']}/end/")
    assert (ended["in_force"], ended["ended_by"]) == (False, "ann")
    assert "It ended at" in ann.post(f"snoozes/{listed['id']}/end/", status=409)["detail"]
    assert ann.get("snoozes/?in_force=true")["results"] == []
    assert [each["id"] for each in ann.get("snoozes/?in_force=false")["results"]] == [listed["id"]]


def test_pages_of_snoozes_follow_each_other(alert: Alert, ann: Caller) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    made = [Snooze.objects.create(rule=n, user=alert.user, reason="x", ends_at=end).pk for n in range(5)]
    first = ann.get("snoozes/?limit=3")
    second = ann.get(first["next"].partition("/api/")[2])
    assert [each["id"] for each in (*first["results"], *second["results"])] == made[::-1]
    assert second["next"] is None


def test_a_step_with_many_is_taken_by_each_for_itself(people: list[User], ann: Caller, rob: Caller) -> None:
    one, two, three = (open_alert(user) for user in people)
    rob.post(f"alerts/{two.pk}/claim/", {"version": 1})
    seen = [{"id": each.pk, "version": 1} for each in (one, two, three)]
    said = {"step": "close", "alerts": seen, "disposition": "DUPLICATE", "reason": "One incident."}
    assert ann.post("alerts/bulk/", said) == {
        "done": [one.pk, three.pk],
        "refused": [
            {
                "id": two.pk,
                "detail": "It was claimed by rob meanwhile: nothing of yours was done. Look at it again.",
            }
        ],
    }
    assert list(Alert.objects.order_by("pk").values_list("state", flat=True)) == [
        "CLOSED", "IN_REVIEW", "CLOSED",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            {"step": "close"},
            {"disposition": ["The step close needs it."], "reason": ["The step close needs it."]},
        ),
        ({"step": "claim", "reason": "x"}, {"reason": ["The step claim takes none."]}),
        ({"step": "note", "reason": "x"}, {"step": ['"note" is not a valid choice.']}),
        ({"step": "claim", "alerts": []}, {"alerts": ["Ensure this field has at least 1 elements."]}),
        (
            {"step": "claim", "alerts": [{"id": n, "version": 1} for n in range(1, 202)]},
            {"alerts": ["Ensure this field has no more than 200 elements."]},
        ),
        (
            {"step": "claim", "alerts": [{"id": 1, "version": 1}, {"id": 1, "version": 2}]},
            {"alerts": ["An alert stands here twice."]},
        ),
        (
            {"step": "claim", "alerts": [{"id": 1, "version": 1}, {"id": 2}, 7]},
            {
                "alerts": [
                    "1: version: This field is required.",
                    "2: Invalid data. Expected a dictionary, but got int.",
                ]
            },
        ),
    ],
)  # fmt: skip
def test_a_step_with_many_says_all_that_it_needs(ann: Caller, said: Any, told: Any) -> None:
    assert ann.post("alerts/bulk/", {"alerts": [{"id": 1, "version": 1}], **said}, status=400) == told


def test_who_may_only_look_changes_nothing(alert: Alert, vic: Caller) -> None:
    vic.get(f"alerts/{alert.pk}/")
    vic.post(f"alerts/{alert.pk}/claim/", {"version": 1}, status=403)
    vic.post("alerts/bulk/", {"step": "claim", "alerts": [{"id": alert.pk, "version": 1}]}, status=403)
    assert not AlertEvent.objects.exists()


def test_who_may_not_see_alerts_sees_none(alert: Alert) -> None:
    other = caller("rita", Right.READ, Right.VIEW_RULES)
    for path in ("alerts/", f"alerts/{alert.pk}/", "alerts/counts/", "snoozes/"):
        other.get(path, status=403)


def test_in_a_private_run_anybody_looks_but_only_somebody_known_takes_a_step(
    alert: Alert, settings: Settings
) -> None:
    settings.ALLOW_ANONYMOUS_API = True
    api = APIClient()
    assert api.get(f"/api/alerts/{alert.pk}/").status_code == 200
    told = api.post(f"/api/alerts/{alert.pk}/claim/", {"version": 1}, format="json")
    assert (told.status_code, told.json()) == (
        403, {"detail": "Nobody is known as who does it: log in, or send a token."},
    )  # fmt: skip


def test_what_is_decided_stands_in_the_audit_trail(alert: Alert, ann: Caller) -> None:
    at = f"alerts/{alert.pk}"
    ann.post(f"{at}/claim/", {"version": 1})
    ann.post(f"{at}/note/", {"text": "Not noted there."})
    ann.post(f"{at}/close/", {"version": 2, "disposition": "EXPECTED", "reason": "Travels."})
    ann.post(f"{at}/snooze/", {"version": 3, "until": in_days(30), "reason": "Travels."})
    ann.post(f"snoozes/{Snooze.objects.get().pk}/end/")
    noted = Entry.objects.filter(target_id=str(alert.pk), actor="ann").order_by("number")
    assert [each.action for each in noted] == [
        "alert.claimed", "alert.closed", "snooze.made", "snooze.ended",
    ]  # fmt: skip
    assert (noted[1].reason, '"disposition":"EXPECTED"' in noted[1].details) == ("Travels.", True)


def test_what_is_not_there_is_not_found(ann: Caller) -> None:
    for path in ("alerts/7/", "alerts/999999999999999999/"):
        ann.get(path, status=404)
    ann.post("alerts/7/claim/", {"version": 1}, status=404)
    ann.post("snoozes/7/end/", status=404)


def test_events_say_as_what_it_was_closed_and_a_release_why_it_was_taken_away(
    alert: Alert, ann: Caller, rob: Caller
) -> None:
    at = f"alerts/{alert.pk}"
    ann.post(f"{at}/claim/", {"version": 1})
    told = rob.post(f"{at}/release/", {"version": 2}, status=400)
    assert told == {"reason": ["ann has it: say why it is taken away."]}
    rob.post(f"{at}/release/", {"version": 2, "reason": "On leave.\r\nBack in May."})
    ann.post(f"{at}/close/", {"version": 3, "disposition": "DUPLICATE", "reason": "One incident."})
    ann.post(f"{at}/reopen/", {"version": 4, "reason": "It is not."})
    told = [(each["step"], each["text"], each["disposition"]) for each in ann.get(f"{at}/")["events"]]
    assert told == [
        ("CLAIMED", None, None), ("RELEASED", "On leave.\nBack in May.", None),
        ("CLOSED", "One incident.", "DUPLICATE"), ("REOPENED", "It is not.", None),
    ]  # fmt: skip


def test_many_are_taken_from_somebody_with_a_reason(alert: Alert, ann: Caller, rob: Caller) -> None:
    ann.post(f"alerts/{alert.pk}/claim/", {"version": 1})
    said = {"step": "release", "alerts": [{"id": alert.pk, "version": 2}], "reason": "On leave."}
    assert rob.post("alerts/bulk/", said)["done"] == [alert.pk]
