"""The search of every page: its answer as JSON and as a page, for who may see what."""

import html
from datetime import UTC, datetime
from urllib.parse import quote_from_bytes

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection as database
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from tests.support.accepting import queued, record, take
from tests.support.admin_pages import GONE, HOSTILE, page, reject, staff, store
from tests.support.markup import markup
from tests.support.outages import postgres_away, redis_away
from transactions.alerts.models import Alert
from transactions.reading import part_indexes, search
from transactions.rules.models import Rule

pytestmark = pytest.mark.django_db(transaction=True)

FOUND, PAGE = "/admin/find/found/", "/admin/find/"


def found(client: Client, text: str) -> dict[str, list[str]]:
    """The titles that a text leads to, by the names of their groups."""
    answer = client.get(FOUND, {"q": text})
    assert answer.status_code == 200
    return {group["name"]: [item["title"] for item in group["items"]] for group in answer.json()["groups"]}


def notes(client: Client, text: str) -> str:
    return " ".join(client.get(FOUND, {"q": text}).json()["notes"])


@pytest.fixture
def alert(people: list[User]) -> Alert:
    return Alert.objects.create(rule=7, rule_name="Bursts", severity="HIGH", user=people[0].pk)


def test_what_is_found_is_grouped_with_links_that_open(
    root: Client, people: list[User], alert: Alert
) -> None:
    row = store(people[0], "INV-1", amount=alert.pk)
    take(record("INV-WAITS", people[0]))
    assert found(root, "nv-1") == {"Transactions": ["INV-1"]}
    assert found(root, "LIC") == {"Customers": ["alice"], "Alerts": [f"Alert {alert.pk}"]}
    assert found(root, "webh") == {"Pages": ["Webhooks"]}
    by_number = found(root, str(alert.pk))
    assert by_number["Alerts"] == [f"Alert {alert.pk}"]
    assert by_number[f"Of the amount {alert.pk}"] == ["INV-1"]
    for text in ("nv-1", "LIC", "webh", str(alert.pk), "INV-WAITS"):
        for group in root.get(FOUND, {"q": text}).json()["groups"]:
            for item in group["items"]:
                assert root.get(item["link"]).status_code == 200
    (item,) = root.get(FOUND, {"q": "nv-1"}).json()["groups"][0]["items"]
    assert item["link"] == reverse("admin:transactions_transaction_change", args=[row.pk])
    assert item["detail"] == f"{alert.pk} (smallest unit) · Pending · alice · 2026-03-14 12:00"


def test_a_transaction_that_is_found_has_its_time_in_the_viewers_zone(
    root: Client, people: list[User]
) -> None:
    store(people[0], "INV-1")
    store(people[0], "INV-FIRST", created_at=datetime(1, 1, 1, tzinfo=UTC))
    root.cookies["timezone"] = "America/New_York"
    (item,) = root.get(FOUND, {"q": "INV-1"}).json()["groups"][0]["items"]
    assert item["detail"].endswith(" · 2026-03-14 08:00")
    (item,) = root.get(FOUND, {"q": "INV-FIRST"}).json()["groups"][0]["items"]
    assert item["detail"].endswith("0001-01-01 00:00 UTC")


def test_the_box_finds_pages_without_counting_alerts(root: Client, alert: Alert) -> None:
    with CaptureQueriesContext(database) as asked:
        assert found(root, "alerts") == {"Pages": ["Alerts"]}
    assert not any("alerts_alert" in each["sql"] for each in asked)


def test_every_page_of_the_menu_is_found_those_that_are_tabs_too(root: Client) -> None:
    for name in ("Groups", "Lists of customers", "How they perform", "People", "API docs"):
        assert name in found(root, name.upper())["Pages"], name
    assert found(root, "rules") == {"Pages": ["Rules"]}


def test_a_tab_is_found_by_who_may_open_it_alone(client: Client, people: list[User]) -> None:
    staff(client, "view_group")
    assert found(client, "groups") == {"Pages": ["Groups"]}
    assert found(client, "people") == {}


def test_nobody_finds_what_they_may_not_see(client: Client, people: list[User], alert: Alert) -> None:
    store(people[0], "INV-1", amount=alert.pk)
    staff(client, "view_alert")
    assert found(client, "INV-1") == found(client, "alice") == found(client, "transactions") == {}
    assert found(client, str(alert.pk)) == {"Alerts": [f"Alert {alert.pk}"]}
    assert found(client, "alert") == {"Pages": ["Alerts"]}
    client.logout()
    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_transaction"))
    client.force_login(reader)
    assert found(client, "INV-1") == {"Transactions": ["INV-1"]}
    assert set(found(client, str(alert.pk))) <= {"Transactions", "Customers", f"Of the amount {alert.pk}"}
    assert found(client, "alerts") == {}


def test_what_the_box_asks_takes_head(root: Client) -> None:
    assert root.head(FOUND, {"q": "alerts"}).status_code == 200


def test_only_the_staff_searches(client: Client, people: list[User]) -> None:
    assert client.get(FOUND, {"q": "a"}).status_code == 403
    assert client.get(PAGE, {"q": "a"}).status_code == 302
    client.force_login(people[0])
    assert client.get(FOUND, {"q": "a"}).status_code == 403
    assert client.get(PAGE, {"q": "a"}).status_code == 302


def test_enter_opens_the_same_as_a_page(root: Client, people: list[User]) -> None:
    store(people[0], "INV-1")
    shown = page(root, f"{PAGE}?q=nv-1")
    assert "INV-1</span>" in shown
    assert "Nothing found for" in page(root, f"{PAGE}?q=nothing-like-it")
    assert "Type a part of an id" in page(root, PAGE)


def test_what_can_be_sought_is_told_where_nothing_is_found(root: Client, people: list[User]) -> None:
    kinds = (
        "a part of an id, a customer's name or number, an amount, an alert's number, a rule's name "
        "or a page's name"
    )
    assert f"Search for {kinds}." in markup(root.get(f"{PAGE}?q=nothing-like-it"))
    assert f'data-advice="Search for {kinds}."' in markup(root.get("/admin/"))


def test_what_was_not_looked_at_is_said(root: Client, people: list[User]) -> None:
    assert notes(root, "abc") == ""
    assert "Three letters or digits in a row" in notes(root, "ab")
    assert "Three letters or digits in a row (A to Z, 0 to 9)" in notes(root, "日本語")
    assert "has more than 150 characters" in notes(root, "x" * 151)
    with redis_away():
        assert "Redis does not answer" in notes(root, "abc")
    with override_settings(SEARCH_PARTS=False):
        assert "no index of parts" in notes(root, "abc")


def test_that_there_is_an_index_of_parts_is_not_denied_where_nobody_tells(
    root: Client, people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SEARCH_MS_MAX = 200
    monkeypatch.setattr(part_indexes, "SELECT_VALID", "SELECT pg_sleep(60)::text WHERE 'x' <> ALL (%s)")
    told = notes(root, "abc")
    assert "whether there is an index of parts was not told in time" in told
    assert "no index of parts" not in told


def test_a_number_sign_alone_is_a_part_of_an_id(root: Client, people: list[User]) -> None:
    store(people[0], "INV#7")
    assert found(root, "#") == found(root, " # ") == {"Transactions": ["INV#7"]}
    assert "has more than 150 characters" not in notes(root, "#")


@pytest.mark.parametrize("text", ["", " "])
def test_of_nothing_typed_nothing_is_said(root: Client, people: list[User], text: str) -> None:
    store(people[0])
    assert root.get(FOUND, {"q": text}).json() == {"groups": [], "notes": []}


@pytest.mark.parametrize(
    "value",
    [
        b"a", b"%", b"_", b"\\", b"\0", b"a\0b", b"x" * 10_000, "مرحبا".encode(), "\u202e321".encode(),
        b"\xed\xa0\x80", b"\xff", b"9" * 400, b"9223372036854775808", b"-1", "١".encode(), b"1e400",
        b"' OR 1=1", b"<script>", b"%%%%%%%%", b"#", b"", "ß".encode(), "İ".encode(),
    ],
)  # fmt: skip
def test_whatever_is_typed_the_answer_is_one(root: Client, people: list[User], value: bytes) -> None:
    store(people[0])
    for path in (FOUND, PAGE):
        assert root.get(f"{path}?q={quote_from_bytes(value)}").status_code == 200


def test_what_clients_wrote_is_text(root: Client, people: list[User]) -> None:
    store(people[0], HOSTILE)
    assert found(root, "ALERT('1')") == {"Transactions": [HOSTILE]}
    shown = page(root, f"{PAGE}?q=alert")
    assert "<script>alert" not in shown
    assert html.escape(HOSTILE, quote=True) in shown


def test_without_postgres_it_says_so(root: Client) -> None:
    root.raise_request_exception = False
    with postgres_away():
        answer = root.get(FOUND, {"q": "abc"})
    assert answer.status_code == 503


def test_every_page_has_the_box(root: Client, people: list[User]) -> None:
    for path in ("/admin/", "/admin/auth/user/", PAGE):
        assert page(root, path).count('role="search"') >= 1
        assert f'data-found="{FOUND}"' in page(root, path)


def test_what_waits_or_was_rejected_is_found_by_a_part_and_all_of_it_has_a_list(
    root: Client, people: list[User]
) -> None:
    take(*(record(f"wait-{n}", people[0]) for n in range(7)))
    reject(queued("reject-me-1", GONE), id="reject-me-1")
    assert found(root, "reject-me") == {"Rejected": ["reject-me-1"]}
    assert found(root, "reject-me-1") == {"Transactions": ["reject-me-1"]}
    (group,) = root.get(FOUND, {"q": "wait-"}).json()["groups"]
    assert (group["name"], len(group["items"])) == ("Waiting to be stored", 6)
    assert "wait-0</span>" in page(root, group["all"])
    assert found(root, "wait-3") == {"Transactions": ["wait-3"]}


def test_which_of_those_that_are_not_stored_were_not_looked_at_is_said(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "UNSTORED_LOOKED_AT_MAX", 1)
    take(record("wait-1", people[0]), record("wait-2", people[0]))
    assert "newest 1 of those that wait to be stored" in notes(root, "wait")


def test_of_more_customers_than_the_box_shows_there_is_a_list(root: Client, people: list[User]) -> None:
    User.objects.bulk_create(User(username=f"of-many-{n}") for n in range(7))
    (group,) = root.get(FOUND, {"q": "MANY-"}).json()["groups"]
    assert (group["name"], len(group["items"])) == ("Customers", 6)
    shown = page(root, group["all"])
    assert [f">of-many-{n}<" in shown for n in range(7)] == [True] * 7
    assert ">alice<" not in shown


def test_alerts_are_found_by_number_rule_and_customer_and_rules_by_name(
    root: Client, people: list[User]
) -> None:
    rule = Rule.objects.create(name="Amounts just under the limit", severity="HIGH")
    Rule.objects.create(name="Another", severity="LOW")
    facts = {"rule_name": rule.name, "severity": "HIGH", "rule": rule.pk}
    first = Alert.objects.create(**facts, user=people[0].pk)
    second = Alert.objects.create(**facts, user=people[1].pk)
    both = {"Rules": [rule.name], "Alerts": [f"Alert {second.pk}", f"Alert {first.pk}"]}
    assert found(root, "amounts JUST") == both
    for text in (f"alert {first.pk}", f"Alert #{first.pk}"):
        assert found(root, text) == {"Alerts": [f"Alert {first.pk}"]}
    assert found(root, "alice") == {"Customers": ["alice"], "Alerts": [f"Alert {first.pk}"]}
    groups = root.get(FOUND, {"q": "just under"}).json()["groups"]
    for item in (item for group in groups for item in group["items"]):
        assert root.get(item["link"]).status_code == 200
    assert groups[1]["items"][1]["detail"] == "Amounts just under the limit · Open · alice"
    for text in ("%", "\0", "' OR 1=1", "alert", "alert x", "alert 9999999999999999999"):
        assert "Alerts" not in found(root, text)


def test_who_may_not_see_rules_or_customers_finds_no_alerts_by_the_latter(
    client: Client, people: list[User]
) -> None:
    rule = Rule.objects.create(name="Amounts just under the limit")
    alert = Alert.objects.create(rule=rule.pk, rule_name=rule.name, severity="HIGH", user=people[0].pk)
    staff(client, "view_alert")
    assert found(client, "just under") == {"Alerts": [f"Alert {alert.pk}"]}
    assert found(client, "alice") == {}


def test_what_a_number_names_comes_before_what_has_it_as_a_part(root: Client, people: list[User]) -> None:
    alert = Alert.objects.create(pk=7, rule=1, rule_name="Bursts", severity="HIGH", user=people[0].pk)
    for n in range(8):
        store(people[0], f"X-7-{n}", amount=7 if n == 0 else 500)
    User.objects.bulk_create(User(username=f"seven-7{n}") for n in range(8))
    names = list(found(root, str(alert.pk)))
    assert names.index("Alerts") < names.index("Customers")
    assert names.index("Of the amount 7") < names.index("Customers")
    assert names.index("Alerts") < 3


@pytest.mark.parametrize("typed", ["name", "number"])
def test_a_customer_who_is_called_so_comes_before_a_transaction_that_is(
    root: Client, people: list[User], typed: str
) -> None:
    alice = people[0]
    text = "alice" if typed == "name" else str(alice.pk)
    for id in (text, f"{text}-0", f"X{text}"):
        store(people[1], id)
    groups = found(root, text)
    assert next(iter(groups)) == "Customers"
    assert groups["Customers"][0] == "alice"
    assert groups["Transactions"][0] == text


@pytest.fixture
def no_end(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look for parts of ids takes all the time that a search has."""
    settings.SEARCH_MS_MAX = 400
    endless = "SELECT {columns} FROM {table} WHERE {parts} AND pg_sleep(60) IS NOT NULL AND {only}"
    monkeypatch.setattr(search, "WITH_PART", endless)


def test_a_customer_has_a_name_in_every_answer_however_little_time_was_left(
    root: Client, people: list[User], no_end: None
) -> None:
    store(people[0], "INV-100")
    (item,) = root.get(FOUND, {"q": "INV-1"}).json()["groups"][0]["items"]
    assert " · alice · " in item["detail"]


def test_that_others_were_not_looked_through_is_no_failure_where_the_very_one_is_found(
    root: Client, people: list[User], no_end: None
) -> None:
    store(people[0], "INV-100")
    slow = "It took too long to look through all transactions: there may be more of them."
    assert slow in notes(root, "INV-10")
    told = notes(root, "INV-100")
    assert "too long" not in told
    assert told == "Beside what is called so, others may have it as a part of their name."


def test_a_rejected_record_that_cannot_be_read_leads_to_its_page_for_who_may_see_it(
    client: Client, people: list[User]
) -> None:
    torn = reject(b"torn-7\xff", id="")
    looker = User.objects.create_user("ann", is_staff=True)
    may_read, may_see = (
        Permission.objects.get(codename=name) for name in ("view_transaction", "view_rejectedrecord")
    )
    looker.user_permissions.add(may_read)
    client.force_login(looker)
    assert found(client, "torn-7") == {}
    looker.user_permissions.add(may_see)
    (group,) = client.get(FOUND, {"q": "torn-7"}).json()["groups"]
    (item,) = group["items"]
    assert (group["name"], item["title"]) == ("Rejected", f"Unreadable record {torn.pk}")
    assert client.get(item["link"]).status_code == 200


@pytest.mark.parametrize("may_see", [True, False])
def test_the_list_of_all_rejected_has_each_that_the_search_found(
    client: Client, people: list[User], may_see: bool
) -> None:
    """Discarded ones too, and for who sees rejected records those that cannot be read."""
    for n in range(7):
        reject(queued(f"none-{n}", GONE), id=f"none-{n}", resolution="DISCARDED" if n % 2 else "")
    staff(client, "view_transaction", *(["view_rejectedrecord"] if may_see else []))
    if may_see:
        reject(b"none-x\xff", id="none-x")
    (group,) = client.get(FOUND, {"q": "none-"}).json()["groups"]
    assert len(group["items"]) == search.FOUND_MAX
    shown = page(client, group["all"])
    wanted = [f"none-{n}" for n in range(7)] + (["none-x"] if may_see else [])
    assert [id for id in wanted if f'"{id}"' in shown or f">{id}<" in shown] == wanted
