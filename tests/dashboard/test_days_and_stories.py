"""The days of a range, and the story of one transaction, as the page asks for them."""

import json
import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.dashboard.asking import get
from tests.support.accepting import push, queued, record, take
from tests.support.admin_pages import GONE, store, superuser
from tests.support.markup import markup
from transactions.models import AMOUNT_MAX
from transactions.reading.story import story
from transactions.storing.flush import flush

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_kept")]


def test_days_come_beside_as_many_days_before(client: Client, people: list[User]) -> None:
    superuser(client)
    for day, amount in ((1, 10), (1, 20), (3, 7), (4, 100)):
        store(
            people[0],
            f"T{day}-{amount}",
            amount=amount,
            status="SUCCESS",
            created_at=datetime(2026, 3, day, 23, 30, tzinfo=UTC),
        )
    body = get(client, "averages", **{"from": "2026-03-03", "to": "2026-03-04"})
    assert (body["from"], body["to"], body["days"]) == ("2026-03-03", "2026-03-04", 2)
    told = [(day["day"], day["succeeded"]["average"]) for day in body["data"]]
    assert told == [("2026-03-03", "7"), ("2026-03-04", "100")]
    assert [(day["day"], day["succeeded"]["total"]) for day in body["before"]] == [("2026-03-01", "30")]
    body = get(client, "averages", **{"from": "2026-03-04", "to": "2026-03-04", "timezone": "Asia/Tehran"})
    assert [day["succeeded"]["average"] for day in body["data"]] == ["7"]


def test_a_day_tells_what_succeeded_failed_and_is_pending_apart(client: Client, people: list[User]) -> None:
    superuser(client)
    at = datetime(2026, 3, 4, 12, tzinfo=UTC)
    for n, (status, amount) in enumerate(
        (("SUCCESS", 10), ("SUCCESS", 21), ("FAILED", AMOUNT_MAX), ("FAILED", AMOUNT_MAX))
    ):
        store(people[0], f"T{n}", amount=amount, status=status, created_at=at)
    asked = {"from": "2026-03-04", "to": "2026-03-04"}
    (day,) = get(client, "averages", **asked)["data"]
    assert day == {
        "day": "2026-03-04",
        "count": 4,
        # Half of 31 goes to the even one.
        "succeeded": {"count": 2, "total": "31", "average": "16"},
        "failed": {"count": 2, "total": str(2 * AMOUNT_MAX), "average": str(AMOUNT_MAX)},
        "pending": {"count": 0, "total": "0", "average": None},
    }
    (day,) = get(client, "averages", **asked, status="SUCCESS")["data"]
    assert (day["succeeded"]["total"], day["failed"]["total"]) == ("31", "0")


def test_a_range_that_would_begin_before_the_calendar_begins_with_it(
    client: Client, people: list[User]
) -> None:
    superuser(client)
    body = get(client, "averages", to="0001-01-05")
    assert (body["from"], body["to"], body["days"], body["before"]) == ("0001-01-01", "0001-01-05", 5, [])


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-03-04", "to": "2026-03-03"}, {"from": "soon"}, {"timezone": "Atlantis"},
        {"from": "0001-01-01", "to": "9999-12-31"}, {"from": "9999-01-01"},
    ],
)  # fmt: skip
def test_a_range_that_makes_no_sense_is_refused(
    client: Client, people: list[User], query: dict[str, str]
) -> None:
    superuser(client)
    response = client.get(reverse("dashboard-averages"), query)
    assert response.status_code == 400
    assert all(isinstance(texts, list) for texts in json.loads(response.content).values())


def test_a_story_goes_from_accepted_to_settled(client: Client, people: list[User]) -> None:
    superuser(client)

    def events() -> list[tuple[str, bool]]:
        found = story("T1")
        assert found is not None
        return [(event["what"], event["at"] is not None) for event in found["events"]]

    assert client.get(reverse("dashboard-story"), {"transaction_id": "T1"}).status_code == 404
    take(record("T1", people[0], status="PENDING"))
    assert events() == [("accepted", True), ("stored", False)]
    flush()
    assert events() == [("accepted", True), ("stored", True), ("settled", False)]
    take(record("T1", people[0], status="SUCCESS"))
    assert events()[2:] == [("settlement accepted", True), ("settled", False)]
    flush()
    flush()
    assert events() == [("accepted", True), ("stored", True), ("settled", True)]
    take(record("T2", people[0]))
    flush()
    told = markup(client.get(reverse("dashboard-story"), {"transaction_id": "T1"}))
    # The latest others of its customer.
    assert re.findall(r'data-transaction="(.*?)"', told) == ["T2"]
    assert re.findall(r"<li><span>(.*?)</span><time", told) == ["accepted", "stored", "settled"]


def test_the_story_of_a_refused_record_has_its_reason(client: Client, people: list[User]) -> None:
    superuser(client)
    push(queued("R1", GONE))
    flush()
    told = client.get(reverse("dashboard-story"), {"transaction_id": "R1"}).content.decode()
    assert f"rejected: user {GONE} does not exist" in told


@pytest.mark.parametrize("id", ["\0", "", "x" * 5000, "%", "\ud7ff"])
def test_the_story_of_any_id_is_told_or_404(client: Client, people: list[User], id: str) -> None:
    superuser(client)
    assert client.get(reverse("dashboard-story"), {"transaction_id": id}).status_code == 404
