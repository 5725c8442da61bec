"""The zone that somebody has chosen is that of every page of the admin, and of what is saved from it."""

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from tests.support.accepting import NOW, push, queued, record, take
from tests.support.admin_pages import change, page, store, url
from tests.support.rules import rule_in_force
from transactions.alerts.models import Alert
from transactions.models import FlushBatch, Transaction
from transactions.queue.records import ABSENT
from transactions.reading import customers
from transactions.review.links import customer
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

MOMENT = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)


@pytest.fixture
def row(people: list[User]) -> str:
    store(people[0], "T1", created_at=MOMENT)
    return url("transaction")


def text(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def in_utc(page: str) -> bool:
    return "2026-01-31 23:30:00" in page and 'aria-label="Time zone UTC"' in page


def test_a_list_is_in_utc_until_a_zone_is_chosen(root: Client, row: str) -> None:
    assert in_utc(text(root, row))


def test_a_list_is_in_the_zone_that_was_chosen_and_says_so(root: Client, row: str) -> None:
    root.cookies["timezone"] = "Asia/Tokyo"
    page = text(root, row)
    assert "2026-02-01 08:30:00" in page
    assert 'aria-label="Time zone Asia/Tokyo"' in page
    assert "UTC" not in page.partition("</head>")[2].replace("data-admin-utc-offset", "")


@pytest.mark.parametrize(
    "bad", ["Mars/Olympus", "../../etc/passwd", "localtime", "x" * 3_000, "", "\x00", "ä"]
)
def test_a_name_that_is_no_zone_is_passed_over(root: Client, row: str, bad: str) -> None:
    root.cookies["timezone"] = bad
    assert in_utc(text(root, row))


def test_nobody_gets_the_zone_of_who_came_before(root: Client, row: str) -> None:
    root.cookies["timezone"] = "Asia/Tokyo"
    text(root, row)
    assert timezone.get_current_timezone_name() == "UTC"
    del root.cookies["timezone"]
    assert in_utc(text(root, row))


def test_a_day_begins_when_it_does_for_the_viewer(root: Client, row: str) -> None:
    root.cookies["timezone"] = "Asia/Tokyo"
    assert ">T1<" in text(root, f"{row}?from=2026-02-01&to=2026-02-28")
    assert ">T1<" not in text(root, f"{row}?from=2026-01-01&to=2026-01-31")


def test_a_day_of_a_customer_is_one_of_the_viewers(root: Client, people: list[User]) -> None:
    late = (timezone.now() - timedelta(days=2)).replace(hour=23, minute=30)
    store(people[0], "T1", created_at=late, status="FAILED")
    where = f"{url('customer')}{people[0].pk}/change/"
    assert f"<title>{late.date()}: 1, 1 failed</title>" in text(root, where)
    root.cookies["timezone"] = "Asia/Tokyo"
    assert f"<title>{late.date() + timedelta(days=1)}: 1, 1 failed</title>" in text(root, where)


def test_what_is_saved_of_a_list_is_in_its_zone(root: Client, row: str) -> None:
    root.cookies["timezone"] = "America/St_Johns"
    response = root.get(f"{row}export/")
    assert isinstance(response, StreamingHttpResponse)
    header, line = csv.reader(io.StringIO(response.getvalue().decode()))
    assert line[header.index("created_at")] == "2026-01-31T20:00:00-03:30"


def test_the_zone_stands_once_at_the_top_and_beside_each_time_that_leaves_the_page(
    root: Client, people: list[User], settings: Settings
) -> None:
    settings.FOUR_EYES = False
    rule_in_force("first_or_dormant", days=1, least=0)
    now = datetime.now(UTC)
    for id, moment in (("BEFORE", now - timedelta(days=3)), ("AGAIN", now)):
        take(record(id, people[0], created_at=moment))
        flush()
    root.cookies["timezone"] = "Asia/Tokyo"
    alert = Alert.objects.latest("pk").pk
    since = f"since {now.astimezone(ZoneInfo('Asia/Tokyo')) - timedelta(days=3):%Y-%m-%d %H:%M}"
    shown_on = reverse("admin:alerts_alert_change", args=[alert])
    for path in (shown_on, change(Transaction.objects.get(transaction_id="AGAIN"))):
        shown = page(root, path).partition('id="content"')[2]
        assert f"{since}<" in shown or f"{since}," in shown, path
        assert "Asia/Tokyo" not in shown, path
    assert f"{since} Asia/Tokyo" in text(root, reverse("admin:alerts_alert_transactions", args=[alert]))


@pytest.mark.parametrize("zone", ["Etc/GMT+5", "EST", "Zulu", "Etc/UTC"])
def test_a_zone_that_never_changes_its_clocks_is_called_by_its_name_too(
    root: Client, people: list[User], row: str, zone: str
) -> None:
    root.cookies["timezone"] = zone
    for path in (row, f"{row}?from=2026-01-31", customer(people[0].pk), change(Transaction.objects.get())):
        assert f'aria-label="Time zone {zone}"' in text(root, path)


def test_a_link_shows_the_zone_of_who_sent_it(root: Client) -> None:
    root.cookies["timezone"] = "Asia/Tokyo"
    assert root.get("/admin/?timezone=Europe/Berlin").context["TIME_ZONE"] == "Europe/Berlin"
    assert root.get("/admin/?timezone=Mars/Olympus").context["TIME_ZONE"] == "Asia/Tokyo"


def test_the_api_is_in_utc_whatever_the_browser_chose(root: Client, row: str) -> None:
    root.cookies["timezone"] = "Asia/Tokyo"
    assert root.get("/api/transactions/").json()["results"][0]["created_at"] == "2026-01-31T23:30:00Z"


# A moment at an end of the calendar, and a zone in which it is one of a year that there is not.
ENDS = [
    ("0001-01-01T00:00:00.000000Z", "America/New_York", "0001-01-01 00:00:00 UTC"),
    ("9999-12-31T23:59:59.999999Z", "Pacific/Kiritimati", "9999-12-31 23:59:59 UTC"),
]


@pytest.mark.parametrize(("moment", "zone", "told"), ENDS)
@pytest.mark.parametrize("field", ["created", "at"])
def test_a_moment_without_a_local_time_is_told_in_utc_on_every_page(
    root: Client,
    people: list[User],
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    zone: str,
    told: str,
    field: str,
) -> None:
    """The door takes none; a record that somebody writes into the queue by hand is stored all the same."""
    created, at = (moment, NOW) if field == "created" else (ABSENT, moment)
    push(queued("END", people[0], created=created, at=at))
    flush()
    row = Transaction.objects.get(transaction_id="END")
    root.cookies["timezone"] = zone
    # Of a customer with more of them it is said since when it was looked up what failed.
    monkeypatch.setattr(customers, "JUDGED_MAX", 1)
    store(people[0], "BEFORE", created_at=datetime(1, 1, 1, tzinfo=UTC))
    naming_it = [
        url("transaction"),
        reverse("admin:transactions_customer_change", args=[people[0].pk]),
        change(row),
        f"{reverse('admin:transactions_transaction_story')}?transaction_id=END",
        f"{reverse('dashboard-story')}?transaction_id=END",
    ]
    assert {path: told in page(root, path) for path in naming_it} == dict.fromkeys(naming_it, True)
    # Columns of a list leave the zone to the page's top.
    assert told.removesuffix(" UTC") in page(root, url("customer"))
    (lead,) = root.get("/admin/find/found/?q=END").json()["groups"][0]["items"]
    assert lead["detail"].endswith(f"{told[:16]} UTC")
    csv_file = root.get(f"{url('transaction')}export/")
    assert isinstance(csv_file, StreamingHttpResponse)
    assert told[:10] in csv_file.getvalue().decode()


@pytest.mark.parametrize(("moment", "zone", "told"), ENDS)
def test_a_bound_without_a_local_time_is_told_and_sent_again_in_utc(
    root: Client, moment: str, zone: str, told: str
) -> None:
    shown = text(root, f"{url('transaction')}?timezone={zone}&from={moment}")
    assert f"since {told[:16]}" in shown
    assert " UTC</bdi>" in shown
    assert f'name="from" value="{moment[:10]}T' in shown


def test_the_page_of_a_row_tells_its_moments_to_the_second_in_the_viewers_zone(
    root: Client, people: list[User]
) -> None:
    take(record("T1", people[0]))
    flush()
    root.cookies["timezone"] = "Asia/Tokyo"
    batch = FlushBatch.objects.latest("pk")
    began = batch.reserved_at.astimezone(ZoneInfo("Asia/Tokyo"))
    shown = page(root, change(batch))
    assert f"> {began:%Y-%m-%d %H:%M:%S} <" in shown
    assert "+00:00" not in shown.partition('id="content"')[2]
