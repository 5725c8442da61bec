"""The queue by the API: which alerts, in which order, page by page; how many there are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.support.alerts import Caller, open_alert
from transactions.alerts import triage
from transactions.alerts.models import Alert
from transactions.review import queue

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC)


def hours(count: int) -> datetime:
    return NOW + timedelta(hours=count)


@pytest.fixture
def four(people: list[User], ann: Caller) -> list[Alert]:
    """Ann's, an overdue one, a closed one, and a grave one; the oldest first."""
    alice, bob, carol = people
    mine = open_alert(alice, opened_at=hours(-9), due_at=hours(5), assignee=ann.user, state="IN_REVIEW")
    late = open_alert(bob, opened_at=hours(-8), due_at=hours(-1), severity="LOW")
    done = open_alert(carol, opened_at=hours(-7), due_at=hours(1))
    triage.close(done.pk, ann.user, 1, "TRUE_POSITIVE", "stolen card")
    grave = open_alert(carol, rule=2, opened_at=hours(-6), due_at=hours(1), severity="CRITICAL")
    return [mine, late, done, grave]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("", "grave done late mine"),
        ("?closed=false", "grave late mine"),
        ("?closed=true", "done"),
        ("?state=OPEN", "grave late"),
        ("?state=IN_REVIEW", "mine"),
        ("?mine=true", "mine"),
        ("?mine=false", "grave done late"),
        ("?unassigned=true&closed=false", "grave late"),
        ("?unassigned=false", "mine"),
        ("?assignee=ann", "mine"),
        ("?overdue=true", "late"),
        ("?overdue=false", "grave done mine"),
        ("?severity=CRITICAL", "grave"),
        ("?rule=2", "grave"),
        ("?disposition=TRUE_POSITIVE", "done"),
        ("?order=due", "late grave mine"),
        ("?from={then}", "grave done"),
        ("?to={then}", "late mine"),
        ("?from=2026-01-01&to=2026-01-02", ""),
    ],
)
def test_each_filter_lets_through_what_it_says(
    four: list[Alert], ann: Caller, asked: str, wanted: str
) -> None:
    names = dict(zip((alert.pk for alert in four), ("mine", "late", "done", "grave"), strict=True))
    # Not in the name of the test, which is the same in every process that runs some of them.
    then = hours(-7).isoformat().replace("+", "%2B")
    found = ann.get(f"alerts/{asked.format(then=then)}")
    assert [names[each["id"]] for each in found["results"]] == wanted.split()
    assert found["next"] is None


def test_those_of_a_user_are_found(four: list[Alert], ann: Caller, people: list[User]) -> None:
    found = ann.get(f"alerts/?user={people[2].pk}")["results"]
    assert [each["id"] for each in found] == [four[3].pk, four[2].pk]


@pytest.mark.parametrize("order", ["newest", "due"])
def test_pages_follow_each_other_without_a_gap_or_a_double(
    people: list[User], ann: Caller, order: str
) -> None:
    # Of one moment, so that the key decides.
    made = [open_alert(people[n % 3], rule=n, opened_at=NOW, due_at=NOW) for n in range(1, 8)]
    wanted = [alert.pk for alert in made]
    url, seen = f"alerts/?order={order}&limit=3&closed=false", []
    while url:
        page = ann.get(url)
        seen += [each["id"] for each in page["results"]]
        url = (page["next"] or "").partition("/api/")[2]
    assert seen == (wanted if order == "due" else wanted[::-1])


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("stat=OPEN", {"stat": ['Unknown parameter. Did you mean "state"?']}),
        ("state=NEW", {"state": ['"NEW" is not a valid choice.']}),
        ("mine=yes", {"mine": ['Must be "true" or "false".']}),
        ("mine=true&unassigned=true", {"unassigned": ["Give one of mine, unassigned."]}),
        ("assignee=nobody", {"assignee": ["There is no such account."]}),
        ("order=due&closed=true", {"order": ["What is closed is due no more: order by newest."]}),
        ("cursor=abc", {"cursor": ["This is no cursor of this list."]}),
        ("user=999999", {"user": ['The user "999999" does not exist.']}),
        (
            "from=yesterday",
            {
                "from": [
                    "Expected a date or a moment with an offset, as in 2026-01-31 or 2026-01-31T23:59:59Z."
                ]
            },
        ),
    ],
)
def test_what_makes_no_sense_is_told_by_its_name(ann: Caller, asked: str, told: Any) -> None:
    assert ann.get(f"alerts/?{asked}", status=400) == told


def test_a_cursor_of_one_order_is_refused_in_the_other(people: list[User], ann: Caller) -> None:
    for rule in (1, 2):
        open_alert(people[0], rule=rule)
    cursor = ann.get("alerts/?limit=1")["next"].partition("cursor=")[2]
    told = ann.get(f"alerts/?order=due&cursor={cursor}", status=400)
    assert told == {"cursor": ["This is a cursor of another order."]}


def test_the_counts_say_what_there_is_to_do(four: list[Alert], ann: Caller) -> None:
    assert ann.get("alerts/counts/") == {
        "not_closed": 3, "open": 2, "in_review": 1, "overdue": 1, "unassigned": 2, "mine": 1,
        "by_severity": {"LOW": 1, "MEDIUM": 0, "HIGH": 1, "CRITICAL": 1}, "complete": True,
    }  # fmt: skip


def test_beyond_a_number_of_them_the_counts_say_that_there_are_more(
    four: list[Alert], ann: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "LOOKED_AT_MAX", 2)
    found = ann.get("alerts/counts/")
    assert (found["not_closed"], found["complete"]) == (2, False)
