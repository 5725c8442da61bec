"""Customers apart from those who work here: two lists, and the page of one customer with its notes."""

import re
from datetime import UTC, timedelta
from hashlib import md5
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission, User
from django.db import connection as database
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.support.accepting import record, take
from tests.support.admin_pages import HOSTILE, page, staff, store
from tests.support.alerts import open_alert
from tests.support.audit_trail import newest
from transactions.access import tokens
from transactions.access.people import customers
from transactions.access.people import people as people_of_ours
from transactions.admin_site.customers import CustomerAdmin
from transactions.alerts.models import Snooze
from transactions.client.users import make_missing
from transactions.models import AMOUNT_MAX, Customer, CustomerNote
from transactions.reading import customers as reading
from transactions.review import customer as customer_of_alerts
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

CUSTOMERS = "admin:transactions_customer_changelist"


def of(user: User, step: str = "") -> str:
    base = reverse("admin:transactions_customer_change", args=[user.pk])
    return f"{base.removesuffix('change/')}{step}" if step else base


def names(shown: str) -> set[str]:
    """Those of the cast whose names stand in a list."""
    close = re.sub(r"\s*([<>])\s*", r"\1", shown)
    return {name for name in User.objects.values_list("username", flat=True) if f">{name}</a>" in close}


# --- Who is one -----------------------------------------------------------------------------------


def test_who_can_log_in_works_for_us_or_calls_the_api_is_no_customer(people_here: set[str]) -> None:
    assert set(people_of_ours().values_list("username", flat=True)) == people_here
    assert set(customers().values_list("username", flat=True)) == {"alice", "bob", "carol"}


@pytest.fixture
def people_here(people: list[User]) -> set[str]:
    """One for each reason to be more than a customer."""
    User.objects.create_user("password", password="correct horse battery")
    User.objects.create_user("staffer", is_staff=True)
    User.objects.create_superuser("superuser")
    tokens.create("till", username=User.objects.create_user("holder").username)
    User.objects.create_user("member").groups.add(Group.objects.create(name="a group"))
    return {"password", "staffer", "superuser", "holder", "member"}


def test_each_list_has_its_own(client: Client, people_here: set[str]) -> None:
    client.force_login(User.objects.create_superuser("root"))
    assert names(page(client, reverse("admin:auth_user_changelist"))) >= people_here
    assert not names(page(client, reverse("admin:auth_user_changelist"))) & {"alice", "bob", "carol"}
    listed = names(page(client, reverse(CUSTOMERS)))
    assert listed >= {"alice", "bob", "carol"}
    assert not listed & people_here


def test_the_people_are_found_by_an_index_of_them_alone(people: list[User]) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, "
            "last_name, email, date_joined) SELECT 'c' || n, '!x', false, false, true, '', '', '', now() "
            "FROM generate_series(1, 100000) n; ANALYZE auth_user"
        )
    for plan in (people_of_ours().explain(), people_of_ours().order_by("username")[:100].explain()):
        assert "account_of_people" in plan
        assert "Seq Scan on auth_user " not in plan


def test_a_customer_is_found_by_number_and_by_how_the_name_begins(root: Client, people: list[User]) -> None:
    assert names(page(root, f"{reverse(CUSTOMERS)}?q=ali")) & {"alice", "bob"} == {"alice"}
    assert "bob" in names(page(root, f"{reverse(CUSTOMERS)}?q={people[1].pk}"))


@pytest.mark.parametrize("begins", ["ali", "ALI", "aLi", "ALICE"])
def test_the_beginning_of_a_name_is_found_in_any_letter_case(
    root: Client, people: list[User], begins: str
) -> None:
    User.objects.create_user("Alina")
    found = names(page(root, f"{reverse(CUSTOMERS)}?q={begins}"))
    assert found & {"alice", "Alina", "bob"} == ({"alice"} if begins == "ALICE" else {"alice", "Alina"})


def test_a_part_of_a_name_is_looked_up_in_an_index(root: Client, people: list[User]) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, "
            "last_name, email, date_joined) SELECT 'Customer-' || md5(n::text), '!x', false, false, true, "
            "'', '', '', now() FROM generate_series(1, 100000) n; ANALYZE auth_user"
        )
    list_page = CustomerAdmin(Customer, admin.site)
    # Sums look like none of the hundred names that statistics keep: those would say that a part is frequent.
    part = md5(b"4242").hexdigest()[:8]
    for term in ("ALI", f"customer-{part}", f"omer-{part}", "Al", str(people[0].pk)):
        rows, _ = list_page.get_search_results(HttpRequest(), customers(), term)
        plan = rows.order_by("-pk")[:100].explain()
        assert "user_by_name_part" in plan or "account_by_name_in_any_case" in plan
        assert "Seq Scan on auth_user " not in plan


def test_the_list_says_name_and_number_once_and_when_each_was_seen(root: Client, people: list[User]) -> None:
    now = timezone.now()
    for number, days in enumerate((1, 9, 3)):
        store(people[0], id=f"T{number}", created_at=now - timedelta(days=days))
    shown = page(root, reverse(CUSTOMERS))
    head = re.findall(
        r"<span>\s*(\w[\w ]*?)\s*</span>", shown.partition("<thead>")[2].partition("</thead>")[0]
    )
    assert head == ["Name", "Number", "First seen", "Last seen", "Transactions"]
    row = next(part for part in shown.split("<tr") if ">alice<" in re.sub(r"\s+", "", part))
    assert re.findall(r"\d{4}-\d\d-\d\d", row) == [
        f"{now - timedelta(days=days):%Y-%m-%d}" for days in (9, 1)
    ]
    cells = [
        " ".join(re.sub(r"<[^>]*>", " ", cell).split())
        for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
    ]
    assert cells[:2] == ["alice", f"{people[0].pk:,}".replace(",", "")]
    assert cells[-1] == "Open the list of alice"
    never = next(part for part in shown.split("<tr") if ">bob<" in re.sub(r"\s+", "", part))
    assert never.count("never") == 2


def test_a_customer_made_here_cannot_log_in(root: Client, client: Client) -> None:
    root.post(reverse("admin:transactions_customer_add"), {"username": "dora"})
    dora = User.objects.get(username="dora")
    assert not dora.has_usable_password()
    assert customers().filter(pk=dora.pk).exists()
    assert newest()[0].action == "user.made"
    for password in ("", "!", dora.password):
        assert ModelBackend().authenticate(None, username="dora", password=password) is None


@pytest.mark.parametrize("name", ["\u3164", "\uffa0", "\u1160"])
@pytest.mark.parametrize("add", ["transactions_customer", "auth_user"])
def test_a_name_that_shows_nothing_is_refused_in_every_form(root: Client, name: str, add: str) -> None:
    password = {"usable_password": "true", "password1": "correct horse 1", "password2": "correct horse 1"}
    answer = root.post(reverse(f"admin:{add}_add"), {"username": name, **password})
    assert answer.status_code == 200
    assert "A name must be visible." in answer.content.decode()
    assert set(User.objects.values_list("username", flat=True)) == {"root", "alice", "bob", "carol"}


@pytest.mark.parametrize("name", ["\u1160", "a\u202eb", "two words"])
def test_an_account_with_a_name_from_before_is_switched_off_and_keeps_it(root: Client, name: str) -> None:
    account = User.objects.create_user(name, is_staff=True)
    path = reverse("admin:auth_user_change", args=[account.pk])
    answer = root.post(path, {"username": name, "is_staff": "on"})
    assert answer.status_code == 302
    account.refresh_from_db()
    assert (account.username, account.is_active, account.is_staff) == (name, False, True)
    # Another name is judged as everybody's.
    answer = root.post(path, {"username": "\u115f", "is_staff": "on"})
    assert "A name must be visible." in answer.content.decode()


def test_whom_a_file_of_records_brings_along_is_a_customer(people: list[User]) -> None:
    assert make_missing([90_001]) == 1
    assert customers().filter(pk=90_001).exists()
    assert not User.objects.get(pk=90_001).has_usable_password()


def test_who_may_not_read_sees_no_customer(client: Client, people: list[User]) -> None:
    staff(client, "view_user")
    for url in (reverse(CUSTOMERS), of(people[0])):
        assert client.get(url).status_code == 403
    assert client.get(of(people[0], "notes/")).status_code == 405
    assert client.post(of(people[0], "notes/"), {"text": "x"}).status_code == 403


# --- The page -------------------------------------------------------------------------------------


def test_totals_tell_what_succeeded_failed_and_is_pending_apart(people: list[User]) -> None:
    now = timezone.now()
    for number, status in enumerate(["SUCCESS"] * 3 + ["FAILED"] + ["PENDING"] * 2):
        store(
            people[0],
            id=f"T{number}",
            amount=10**number,
            status=status,
            created_at=now - timedelta(days=number),
        )
    store(people[1], id="X", amount=7)
    found = reading.activity(people[0].pk)
    assert (found.transactions, found.counted_since, found.judged_since) == (6, None, None)
    assert (found.succeeded, found.failed) == (reading.Ended(3, 111), reading.Ended(1, 1000))
    assert found.pending == reading.Ended(2, 110_000)
    assert found.success_rate == 0.75
    assert (found.last_seen, found.first_seen) == (now, now - timedelta(days=5))
    assert [count for _, count in found.days][-6:] == [1] * 6
    assert len(found.days) == 30
    assert [row.transaction_id for row in found.latest][:2] == ["T0", "T1"]


def test_one_huge_failure_moves_nothing_of_what_succeeded(root: Client, people: list[User]) -> None:
    now = timezone.now()
    for number, (status, amount) in enumerate(
        (("SUCCESS", 1200), ("SUCCESS", 34), ("FAILED", AMOUNT_MAX), ("FAILED", AMOUNT_MAX), ("PENDING", 56))
    ):
        store(people[0], id=f"T{number}", status=status, amount=amount, created_at=now)
    found = reading.activity(people[0].pk)
    assert (found.succeeded, found.pending) == (reading.Ended(2, 1234), reading.Ended(1, 56))
    assert found.failed == reading.Ended(2, 2 * AMOUNT_MAX)
    shown = page(root, reverse("admin:transactions_customer_change", args=[people[0].pk]))
    told = dict(
        re.findall(r"<dt>(Amount [^<(]*?)(?: \(.*?\))?</dt>\s*<dd class=\"amount\">([^<]*)</dd>", shown)
    )
    assert told == {
        "Amount that succeeded": "1,234",
        "Amount that failed": f"{2 * AMOUNT_MAX:,}",
        "Amount pending": "56",
    }
    totals = customer_of_alerts.totals(people[0].pk)
    assert (totals["amount_succeeded"], totals["transactions"]) == (1234, 5)


def test_the_chart_says_how_many_failed_on_a_day_and_how_high_it_is(root: Client, people: list[User]) -> None:
    now = timezone.now()
    for number, status in enumerate(["FAILED", "FAILED", "SUCCESS"]):
        store(people[0], id=f"T{number}", status=status, created_at=now)
    store(people[0], id="X", status="FAILED", created_at=now - timedelta(days=60))
    today = now.date()
    assert reading.activity(people[0].pk).failed_on == {today: 2}
    shown = page(root, of(people[0]))
    assert f"<title>{today}: 3, 2 failed</title>" in shown
    assert '<p class="days-scale" aria-hidden="true"><span>3</span><span>0</span></p>' in shown


def test_alerts_and_notes_stand_before_the_latest_transactions(root: Client, people: list[User]) -> None:
    shown = page(root, of(people[0]))
    assert shown.index("alerts-title") < shown.index("notes-title") < shown.index("latest-title")


def test_a_customer_without_transactions_has_no_rate(root: Client, people: list[User]) -> None:
    found = reading.activity(people[0].pk)
    assert (found.transactions, found.success_rate, found.first_seen, found.last_seen) == (
        0,
        None,
        None,
        None,
    )
    assert "never" in page(root, of(people[0]))


def test_what_is_not_counted_to_its_end_says_since_when(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    for number in range(6):
        store(people[0], id=f"T{number}", created_at=now - timedelta(days=number), status="SUCCESS")
    monkeypatch.setattr(reading, "COUNTED_MAX", 4)
    monkeypatch.setattr(reading, "JUDGED_MAX", 2)
    found = reading.activity(people[0].pk)
    assert (found.transactions, found.counted_since) == (4, now - timedelta(days=3))
    assert (found.succeeded.count, found.judged_since) == (2, now - timedelta(days=1))
    assert found.first_seen == now - timedelta(days=5)
    shown = page(root, of(people[0]))
    assert "over 4" in shown
    assert "the latest 2, since" in shown


def test_what_failed_is_said_of_those_days_alone_that_were_looked_at(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
        hours=12
    )
    for number, days in enumerate([0, 1, 1, 2]):
        moment = noon - timedelta(days=days, minutes=number)
        store(people[0], id=f"T{number}", created_at=moment, status="FAILED")
    monkeypatch.setattr(reading, "JUDGED_MAX", 2)
    shown = page(root, of(people[0]))

    def told(days: int) -> list[str]:
        row = re.search(f"<tr><td>{noon - timedelta(days=days):%Y-%m-%d}</td>(.*?)</tr>", shown, re.DOTALL)
        assert row is not None
        return re.findall(r">([^<]+)</td>", row[1])

    assert told(0) == ["1", "1"]
    # Of that day one more was not looked at.
    assert told(1) == ["2", "at least 1"]
    assert told(2) == ["1", "–"]
    assert told(3) == ["0", "–"]
    card = shown[shown.index("days-title") :]
    assert "What failed is known of the latest 2" in card


def test_the_page_looks_at_no_more_rows_than_it_says(people: list[User]) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO transactions_transaction "
            "(transaction_id, user_id, status, created_at, amount, accepted_at, stored_at) "
            "SELECT 'M' || n, %s, 'SUCCESS', now() - n * interval '1 second', n, now(), now() "
            "FROM generate_series(1, 20000) n",
            [people[0].pk],
        )
        cursor.execute("VACUUM ANALYZE transactions_transaction")
        asked: dict[str, Any] = {"user": people[0].pk, "most": 1_000, "starts": [timezone.now()]}
        for statement in (reading.COUNT, reading.JUDGE, reading.SELECT_LATEST):
            cursor.execute(f"EXPLAIN (ANALYZE) {statement}", asked)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "transaction_by_user_amount" in plan
            looked_at = [float(rows) for rows in re.findall(r"actual [^)]* rows=([0-9.]+)", plan)]
            assert max(looked_at) == 1_000


def test_the_page_has_alerts_and_snoozes_for_who_may_see_them(client: Client, people: list[User]) -> None:
    open_alert(people[0], rule_name="Too many failures")
    Snooze.objects.create(
        rule=1, user=people[0].pk, reason="known to us", ends_at=timezone.now() + timedelta(days=1)
    )
    staff(client, "view_transaction")
    assert "Too many failures" not in page(client, of(people[0]))
    User.objects.get(username="staff").user_permissions.add(Permission.objects.get(codename="view_alert"))
    shown = page(client, of(people[0]))
    assert "Too many failures" in shown
    assert "known to us" in shown


def test_the_page_is_there_for_people_who_pay_too_and_404_for_nobody(
    root: Client, people: list[User]
) -> None:
    payer = User.objects.get(username="root")
    store(payer, id="MINE")
    assert "MINE" in page(root, of(payer))
    for url in ("/admin/transactions/customer/999999/change/", "/admin/transactions/customer/x/change/"):
        assert root.get(url).status_code == 404


def test_of_a_deleted_customer_a_link_says_who_deleted_them(root: Client, people: list[User]) -> None:
    url, name = of(people[1]), people[1].username
    root.post(
        reverse("admin:auth_user_delete", args=[people[1].pk]), {"post": "yes", "reason": "asked for it"}
    )
    assert not User.objects.filter(username=name).exists()
    answer = root.get(url)
    assert answer.status_code == 404
    assert re.search(
        r"Deleted \d{4}-\d\d-\d\d \d\d:\d\d:\d\d by root: “asked for it”", answer.content.decode()
    )


def test_a_name_in_the_list_of_transactions_leads_to_the_customer(root: Client, people: list[User]) -> None:
    row = store(people[0])
    assert of(people[0]) in page(root, reverse("admin:transactions_transaction_changelist"))
    assert of(people[0]) in page(root, reverse("admin:transactions_transaction_change", args=[row.pk]))


def test_a_customer_of_the_pipeline_is_shown_as_stored(root: Client, people: list[User]) -> None:
    take(record("T1", people[0], status="SUCCESS"), record("T2", people[0], status="FAILED"))
    flush()
    assert "50\u00a0%" in page(root, of(people[0]))


# --- Notes ----------------------------------------------------------------------------------------


def test_a_note_is_written_and_reviewed_once_and_both_are_noted(root: Client, people: list[User]) -> None:
    root.post(of(people[0], "notes/"), {"text": HOSTILE})
    (written,) = CustomerNote.objects.all()
    assert (newest()[0].action, newest()[0].target, newest()[0].target_id) == (
        "note.written",
        "alice",
        str(people[0].pk),
    )
    shown = page(root, of(people[0]))
    assert "<script>alert" not in shown
    assert "Mark as reviewed" in shown
    root.post(of(people[0], f"notes/{written.pk}/reviewed/"))
    assert newest()[0].action == "note.reviewed"
    reviewed = CustomerNote.objects.get()
    root.post(of(people[0], f"notes/{written.pk}/reviewed/"))
    assert CustomerNote.objects.get().reviewed_at == reviewed.reviewed_at
    assert "reviewed by root" in page(root, of(people[0]))


@pytest.mark.parametrize(
    "text", ["", "  ", "x" * 1001, "a\0b", "\u200b", "\u3164", "\u0301", "a\u202eb", "\U000e0041"]
)
def test_a_note_that_says_nothing_or_too_much_is_told_why(
    root: Client, people: list[User], text: str
) -> None:
    answer = root.post(of(people[0], "notes/"), {"text": text}, follow=True)
    assert "A note" in answer.content.decode()
    assert not CustomerNote.objects.exists()


def test_notes_are_for_who_may_write_them(client: Client, people: list[User]) -> None:
    staff(client, "view_transaction")
    assert client.post(of(people[0], "notes/"), {"text": "x"}).status_code == 403
    made = CustomerNote.objects.create(customer=people[0].pk, text="x", by_name="somebody")
    assert client.post(of(people[0], f"notes/{made.pk}/reviewed/")).status_code == 403
    assert "Mark as reviewed" not in page(client, of(people[0]))
    other = of(people[1], f"notes/{made.pk}/reviewed/")
    client.force_login(User.objects.create_superuser("root"))
    assert client.post(other).status_code == 404, "that note is on another customer"
