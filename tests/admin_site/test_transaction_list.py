"""The list of transactions: what it says of itself, what is not stored, saved views."""

import html
import json
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.http import QueryDict
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from tests.support.accepting import push, queued, record, take
from tests.support.admin_pages import (
    DAY,
    GONE,
    HOSTILE,
    act,
    listed,
    page,
    reject,
    staff,
    store,
    url,
)
from tests.support.audit_trail import head, since
from tests.support.markup import markup
from tests.support.outages import redis_away
from transactions.admin_site.saved_views import VIEWS_MAX, offered
from transactions.models import AMOUNT_MAX, SavedView, Transaction
from transactions.reading import narrowed
from transactions.reading.narrow_parameters import NarrowParameters
from transactions.review import links
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

# What the rollups tell of these, in three digits.
ABOUT_SO = "about 102 transactions · succeeded about 1K · failed about 9,220,000T · pending about 9,220,000T"
SAVE = "/admin/transactions/transaction/views/"


def words(client: Client, query: str) -> list[str]:
    """What the list says that it is narrowed by."""
    shown = page(client, url("transaction", query))
    return [html.unescape(text) for text in re.findall(r"<li><bdi>([^<]*)</bdi> <a ", shown)]


def total(client: Client, query: str = "") -> str:
    said = re.search(r'role="status"><strong>([^<]*)</strong>', page(client, url("transaction", query)))
    assert said
    return said[1]


def test_it_says_in_words_what_it_is_narrowed_by_with_its_count_and_sum(
    root: Client, people: list[User]
) -> None:
    for n in range(3):
        store(people[0], f"FAIL-{n}", status="FAILED", amount=1_000_000 + n)
    store(people[1], "OTHER", amount=5)
    assert total(root) == "4 transactions · failed 3,000,003 · pending 5"
    assert words(root, "") == []
    narrow = "status=FAILED&user=alice&amount_min=1000&amount_max=1000001&q=fail"
    query = f"?{narrow}&from=2026-03-14T11:00&timezone=Asia/Tehran"
    assert words(root, query) == [
        "id has the part “fail”",
        "customer: alice",
        "status: Failed",
        "amount: 1,000 or more (smallest unit)",
        "amount: 1,000,001 or less (smallest unit)",
        "since 2026-03-14 11:00",
    ]
    assert total(root, query) == "2 transactions · failed 2,000,001"
    assert words(root, "?amount_min=5&amount_max=5&to=2026-03-15") == [
        "amount: 5 (smallest unit)",
        "before 2026-03-16 00:00",
    ]
    assert total(root, "?amount_min=5&amount_max=5") == "1 transaction · pending 5"
    assert total(root, "?amount_min=6&amount_max=6") == "0 transactions"


@pytest.mark.parametrize("counted_max", [narrowed.COUNTED_MAX, 10])
def test_one_failed_transaction_moves_nothing_of_what_succeeded(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch, counted_max: int
) -> None:
    """Counted one by one on a page, on several, and told by the rollups: each sum is of one status."""
    monkeypatch.setattr(narrowed, "COUNTED_MAX", counted_max)
    store(people[0], "LARGEST", status="FAILED", amount=AMOUNT_MAX)
    store(people[0], "LARGEST AGAIN", status="PENDING", amount=AMOUNT_MAX)
    for n in range(3):
        store(people[0], f"GOOD-{n}", status="SUCCESS", amount=10)
    of_huge = f"{AMOUNT_MAX:,}"
    assert total(root) == f"5 transactions · succeeded 30 · failed {of_huge} · pending {of_huge}"
    for n in range(3, narrowed.ROWS):
        store(people[0], f"GOOD-{n}", status="SUCCESS", amount=10)
    told = f"102 transactions · succeeded 1,000 · failed {of_huge} · pending {of_huge}"
    assert total(root) == (told if counted_max > 102 else ABOUT_SO)
    assert total(root, "?status=SUCCESS") == "100 transactions · succeeded 1,000"


def test_what_waits_and_what_was_rejected_is_listed_too(root: Client, people: list[User]) -> None:
    take(record("STORED-1", people[0]))
    flush()
    take(record("WAITS-1", people[0], amount=7), record("WAITS-2", people[1], amount=9))
    reject(queued("NO-1", GONE), id="NO-1")
    reject(b"\xff", id="NO-2")
    assert listed(root) == ["STORED-1"]
    assert listed(root, "?state=waiting&order=largest") == ["WAITS-2", "WAITS-1"]
    assert listed(root, "?state=waiting&user=alice") == ["WAITS-1"]
    assert total(root, "?state=waiting") == "2 transactions · pending 16"
    assert words(root, "?state=waiting") == ["state: waiting to be stored"]
    assert listed(root, "?state=rejected") == ["NO-1"]
    with redis_away():
        answer = root.get(url("transaction", "?state=waiting"))
    assert answer.status_code == 503
    assert "Redis does not answer" in answer.content.decode()


def test_every_rejected_transaction_of_the_list_has_its_page(root: Client, people: list[User]) -> None:
    """What has no id that there could be is counted as what cannot be read, as it is of what waits."""
    push(queued("NO-1", GONE), queued("w\0nul", people[0]), queued("x" * 400, people[0]))
    assert total(root, "?state=waiting").endswith("2 records that cannot be read are left out")
    flush()
    assert listed(root, "?state=rejected") == ["NO-1"]
    assert total(root, "?state=rejected").endswith("2 records that cannot be read are left out")
    assert root.get(links.story("NO-1")).status_code == 200


def test_a_number_is_that_of_a_customer_before_it_is_a_name(root: Client, people: list[User]) -> None:
    named = User.objects.create_user(str(people[0].pk))
    other = User.objects.create_user("987654321")
    for n, user in enumerate((people[0], named, other)):
        store(user, f"OF-{n}")
    assert listed(root, f"?user={people[0].pk}") == ["OF-0"]
    assert listed(root, f"?user={named.pk}") == ["OF-1"]
    assert listed(root, "?user=987654321") == ["OF-2"]


def test_a_customer_is_found_in_any_letter_case_if_only_one_is_called_so(
    root: Client, people: list[User]
) -> None:
    store(people[0], "OF-ALICE")
    assert listed(root, "?user=ALICE") == ["OF-ALICE"]
    store(User.objects.create_user("Alice"), "OF-ANOTHER")
    assert listed(root, "?user=alice") == ["OF-ALICE"]
    assert listed(root, "?user=Alice") == ["OF-ANOTHER"]
    assert root.get(url("transaction", "?user=ALICE")).status_code == 400


def test_times_are_in_the_zone_that_the_url_names(root: Client, people: list[User]) -> None:
    store(people[0])
    assert "2026-03-14 12:00:00" in page(root, url("transaction"))
    shown = page(root, url("transaction", "?timezone=Asia/Kathmandu"))
    assert "2026-03-14 17:45:00" in shown
    # It stands at the top of the page, as on every other, and once.
    assert 'data-zone="Asia/Kathmandu"' in shown
    assert "Time (" not in shown


def test_times_are_in_the_zone_of_the_page_where_the_url_names_none(root: Client, people: list[User]) -> None:
    asked = NarrowParameters(data=QueryDict("from=2026-03-14T17:45"))
    with timezone.override("Asia/Kathmandu"):
        assert asked.is_valid()
        narrowed = asked.narrowed()
    assert (narrowed.zone, narrowed.wanted.since) == ("Asia/Kathmandu", DAY)


def test_a_view_of_a_time_is_saved_with_its_zone(root: Client, people: list[User]) -> None:
    shown = page(root, url("transaction", "?from=2026-03-14T11:00"))
    assert 'name="query" value="from=2026-03-14T11%3A00&amp;timezone=UTC"' in shown
    assert (
        "timezone" not in page(root, url("transaction", "?status=FAILED")).partition('name="query"')[2][:60]
    )


def test_what_clients_wrote_is_text_in_every_part(root: Client, people: list[User]) -> None:
    store(people[0], HOSTILE)
    shown = page(root, url("transaction", "?q=%3Cscript%3Ealert"))
    assert "<script>alert" not in shown
    assert html.escape(HOSTILE) in shown


@override_settings(SEARCH_PARTS=False)
def test_without_the_index_of_parts_the_beginning_narrows_and_the_page_says_so(
    root: Client, people: list[User]
) -> None:
    store(people[0], "INV-1")
    assert listed(root, "?q=IN") == ["INV-1"]
    assert listed(root, "?q=NV-1") == []
    assert words(root, "?q=INV") == ["id begins with “INV”"]


def test_an_id_of_other_letters_is_found_by_its_beginning(root: Client, people: list[User]) -> None:
    """The index of parts has no entry for them."""
    store(people[0], "日本語-1")
    store(people[0], "1-日本語")
    assert listed(root, "?q=日本") == ["日本語-1"]
    assert words(root, "?q=日本") == ["id begins with “日本”"]
    assert listed(root, "?q=日本語-1") == ["日本語-1"]


def test_a_superuser_deletes_the_chosen_rows_and_stays_in_the_list(root: Client, people: list[User]) -> None:
    row = store(people[0], "GONE-1")
    store(people[0], "STAYS-1")
    assert "Delete the chosen ones" in page(root, url("transaction"))
    path = url("transaction", "?user=alice&order=largest")
    form = {"action": "delete_selected", "_selected_action": [str(row.pk)], "index": "0"}
    asked = root.post(path, form)
    assert asked.status_code == 200
    assert "Why? It is kept" in asked.content.decode()
    done = root.post(path, {**form, "post": "yes", "reason": "a test"})
    assert (done.status_code, done["Location"]) == (302, path)
    assert list(Transaction.objects.values_list("transaction_id", flat=True)) == ["STAYS-1"]
    assert "1 transaction" in page(root, path)


def test_who_may_not_delete_is_not_offered_it(client: Client, people: list[User]) -> None:
    row = store(people[0])
    staff(client, "view_transaction", "delete_transaction")
    assert "Delete the chosen ones" not in page(client, url("transaction"))
    act(client, "transaction", "delete_selected", row, post="yes")
    assert Transaction.objects.exists()


def test_a_view_is_saved_under_a_name_and_opens_by_its_key(root: Client, people: list[User]) -> None:
    store(people[0], "A", status="FAILED", amount=5)
    store(people[0], "B", status="FAILED", amount=9)
    store(people[1], "C", amount=9)
    answer = root.post(
        SAVE, {"name": " Failed  ones ", "query": "status=FAILED&cursor=x&view=y&order=largest"}
    )
    view = SavedView.objects.get()
    assert answer["Location"] == url("transaction", f"?view={view.key}")
    assert (view.name, view.query, view.shared) == ("Failed ones", "status=FAILED&order=largest", False)
    assert listed(root, f"?view={view.key}") == ["B", "A"]
    assert listed(root, f"?view={view.key}&order=smallest&amount_min=6") == ["B"]
    assert "Failed ones" in page(root, url("transaction"))
    root.post(SAVE, {"name": "Failed ones", "query": "status=PENDING", "shared": "on"})
    view.refresh_from_db()
    assert (view.query, view.shared) == ("status=PENDING", True)
    assert root.post(f"{SAVE}{view.key}/delete/").status_code == 302
    assert not SavedView.objects.exists()


def test_views_of_others_are_seen_only_where_they_are_shared(client: Client, people: list[User]) -> None:
    own = SavedView.objects.create(owner=people[0], name="<b>Own</b>", query="status=FAILED")
    shared = SavedView.objects.create(owner=people[0], name="Shared", query="status=FAILED", shared=True)
    staff(client, "view_transaction")
    shown = page(client, url("transaction"))
    assert f"view={shared.key}" in shown
    assert f"view={own.key}" not in shown
    assert client.get(url("transaction", f"?view={own.key}")).status_code == 400
    assert client.post(f"{SAVE}{own.key}/delete/").status_code == 404
    assert client.post(f"{SAVE}{shared.key}/delete/").status_code == 403
    assert SavedView.objects.count() == 2
    client.logout()
    staff_without = User.objects.create_user("other", is_staff=True)
    staff_without.user_permissions.add(Permission.objects.get(codename="view_alert"))
    client.force_login(staff_without)
    assert client.post(SAVE, {"name": "x", "query": ""}).status_code == 403


def test_ones_own_views_are_offered_first_however_many_are_shared(root: Client, people: list[User]) -> None:
    SavedView.objects.bulk_create(
        SavedView(owner=owner, name=f"A {n}", shared=True) for owner in people[:2] for n in range(VIEWS_MAX)
    )
    SavedView.objects.create(owner=User.objects.get(username="root"), name="Zebra")
    shown = offered(User.objects.get(username="root"))
    assert [shown[0].name, len(shown)] == ["Zebra", 1 + VIEWS_MAX]


def test_at_the_limit_a_view_is_replaced_and_none_is_added(root: Client, people: list[User]) -> None:
    owner = User.objects.get(username="root")
    SavedView.objects.bulk_create(SavedView(owner=owner, name=f"V{n}") for n in range(VIEWS_MAX))
    refused = root.post(SAVE, {"name": "One more", "query": ""}, follow=True)
    assert f"You have {VIEWS_MAX} views" in refused.content.decode()
    root.post(SAVE, {"name": "V7", "query": "status=FAILED"})
    assert SavedView.objects.get(name="V7").query == "status=FAILED"
    assert SavedView.objects.count() == VIEWS_MAX


def test_what_others_see_of_a_view_is_in_the_trail(root: Client, people: list[User]) -> None:
    def kept(query: str, shared: str = "on") -> SavedView:
        root.post(SAVE, {"name": "Ours", "query": query, "shared": shared})
        return SavedView.objects.get(name="Ours")

    before = head()
    for query in ("status=FAILED", "status=FAILED", "status=PENDING"):
        kept(query)
    kept("status=PENDING", shared="")
    key = kept("status=PENDING").key
    root.post(f"{SAVE}{key}/delete/")
    root.post(SAVE, {"name": "Mine", "query": ""})
    root.post(f"{SAVE}{SavedView.objects.get().key}/delete/")
    theirs = SavedView.objects.create(owner=people[0], name="Theirs", shared=True)
    root.post(f"{SAVE}{theirs.key}/delete/")
    entries = since(before)
    assert [(entry.action, entry.target, json.loads(entry.details)) for entry in entries] == [
        ("view.shared", "Ours", {"owner": "root"}),
        ("view.changed", "Ours", {"owner": "root"}),
        ("view.unshared", "Ours", {"owner": "root"}),
        ("view.shared", "Ours", {"owner": "root"}),
        ("view.deleted", "Ours", {"owner": "root"}),
        ("view.deleted", "Theirs", {"owner": "alice"}),
    ]
    assert {entry.actor for entry in entries} == {"root"}


@pytest.mark.parametrize(
    ("count", "said", "short"),
    [
        (1_234_567, "about 1,230,000", "about 1.23M"), (58_683, "about 58,700", "about 58.7K"),
        (999, "about 999", "about 999"), (0, "about 0", "about 0"),
    ],
)  # fmt: skip
def test_about_so_many_is_said_in_three_digits(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch, count: int, said: str, short: str
) -> None:
    for exact, many, much in ((False, said, short), (True, f"{count:,}", f"{count:,}")):
        monkeypatch.setattr(
            narrowed, "totals", lambda *_, is_so=exact: narrowed.Sums(count, {"FAILED": count}, is_so)
        )
        shown = page(root, url("transaction"))
        assert f"<strong>{many} transactions · failed {much}</strong>" in shown


def test_all_that_is_wrong_with_the_url_is_told_at_once(root: Client, people: list[User]) -> None:
    answer = root.get(url("transaction", "?amount_min=abc&statusx=1&status=DONE&order=up&order=down"))
    assert answer.status_code == 400
    assert set(answer.context["errors"]) == {"amount_min", "statusx", "status", "order"}


def test_a_customer_is_asked_for_as_the_page_calls_it_too(root: Client, people: list[User]) -> None:
    store(people[0], "A")
    store(people[1], "B")
    assert listed(root, "?customer=alice") == ["A"]


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "\0", "\u3164", "\u200b", "\u2800 \u0301", "a\u202eb"])
def test_a_view_needs_a_name(root: Client, people: list[User], name: str) -> None:
    assert "A view needs a name" in root.post(SAVE, {"name": name, "query": ""}, follow=True).content.decode()
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("query", ["foo=bar", "user=alice&user=bob", "user=nobody", "user=a%00b", "from=x"])
def test_a_list_that_does_not_open_is_not_saved(root: Client, people: list[User], query: str) -> None:
    answer = root.post(SAVE, {"name": "Wrong", "query": query}, follow=True)
    assert answer.status_code == 200
    assert "A view is of a list that opens" in answer.content.decode()
    assert not SavedView.objects.exists()


def test_a_view_that_does_not_open_any_more_is_deleted_where_it_says_so(
    client: Client, people: list[User]
) -> None:
    view = SavedView.objects.create(owner=people[0], name="Carol’s", query="user=carol", shared=True)
    User.objects.filter(username="carol").delete()
    path, delete = url("transaction", f"?view={view.key}"), f"{SAVE}{view.key}/delete/"
    staff(client, "view_transaction")
    assert delete not in client.get(path).content.decode()
    client.force_login(User.objects.create_superuser("root"))
    shown = client.get(path)
    assert shown.status_code == 400
    assert f'action="{delete}"' in shown.content.decode()
    assert f'action="{SAVE}"' not in shown.content.decode()
    answer = client.post(delete, follow=True)
    assert answer.redirect_chain == [(url("transaction", "?"), 302)]
    assert "is deleted" in answer.content.decode()


def test_a_view_of_a_query_that_has_become_wrong_says_what_is(root: Client, people: list[User]) -> None:
    view = SavedView.objects.create(owner=User.objects.get(username="root"), name="Old", query="status=NONE")
    answer = root.get(url("transaction", f"?view={view.key}"))
    assert answer.status_code == 400
    assert "<strong>Status</strong>" in answer.content.decode()
    assert page(root, reverse("admin:index"))


def test_what_is_wrong_with_a_field_is_told_by_the_fields_own_name(root: Client) -> None:
    shown = root.get(f"{url('transaction')}?amount_min=x&from=then&sort=newest").content.decode()
    assert re.findall(r'role="alert"><strong>([^<]+)</strong>', shown) == ["Amount from", "Since", "sort"]


@pytest.mark.parametrize("name", ["sort", "order_by", "Ordering"])
def test_the_order_that_is_asked_for_by_another_name_is_told_by_ours(root: Client, name: str) -> None:
    said = html.unescape(markup(root.get(url("transaction", f"?{name}=largest"))))
    assert "Did you mean “order”?" in said


def test_a_view_says_whether_it_is_shared_and_is_deleted_after_a_question(
    root: Client, people: list[User]
) -> None:
    owner = User.objects.get(username="root")
    own = SavedView.objects.create(owner=owner, name="Mine", query="status=FAILED")
    shared = SavedView.objects.create(owner=owner, name="Ours", query="status=PENDING", shared=True)
    shown = page(root, url("transaction", f"?view={own.key}"))
    assert "<bdi>Mine</bdi></a>" in shown
    assert "<bdi>Ours</bdi> <small>shared</small></a>" in shown
    assert "Delete the view “Mine”? It is yours alone." in shown
    assert "everybody who may see the list loses it" in page(root, url("transaction", f"?view={shared.key}"))
    assert "Delete view" not in page(root, url("transaction"))
