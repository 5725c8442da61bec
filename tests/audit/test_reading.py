"""The trail as it is read: by the API with a right of its own, and in the admin."""

import csv
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.support.admin_pages import HOSTILE, page, staff
from tests.support.alerts import open_alert
from tests.support.audit_trail import head, newest, since
from transactions.access import tokens
from transactions.access.rights import Right
from transactions.audit import chain
from transactions.audit.actions import Action
from transactions.audit.actors import Actor, acting
from transactions.audit.entries import note
from transactions.audit.models import Entry, Via

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/api/audit/"
LIST = "/admin/audit/entry/"


def write(name: str = "ann", action: Action = Action.USER_CHANGED, target: str = "t", **more: Any) -> Entry:
    actor = Actor(Via.API, name, 7, token="till 1", address="203.0.113.7", request_id="r-7")
    with acting(lambda: actor):
        note(action, target, **more)
    return newest()[0]


def get(api: APIClient, query: str = "") -> Any:
    answer = api.get(PATH + query)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def test_the_trail_is_read_newest_first_and_page_by_page(api: APIClient) -> None:
    written = [write(target=f"t{n}").number for n in range(5)]
    seen, where = [], f"{PATH}?limit=2"
    for _ in range(3):
        found = api.get(where).json()
        seen += [entry["number"] for entry in found["results"]]
        write()
        where = found["next"]
    assert seen[:5] == written[::-1]
    assert get(api, "?cursor=2&limit=1")["next"] is None
    assert get(api, "?cursor=1") == {"results": [], "next": None}


def test_an_entry_is_told_whole(api: APIClient) -> None:
    entry = write(reason="why", said=["é", 1])
    assert get(api, "?limit=1")["results"] == [
        {
            "number": entry.number,
            "at": chain.moment_text(entry.at),
            "action": "user.changed",
            "actor": "ann",
            "actor_id": 7,
            "via": "api",
            "token": "till 1",
            "address": "203.0.113.7",
            "request_id": "r-7",
            "target": "t",
            "target_id": "",
            "reason": "why",
            "details": {"said": ["é", 1]},
            "previous": entry.previous,
            "hash": entry.hash,
        }
    ]


@pytest.mark.parametrize(
    "query",
    [
        "actor=bob", "token=till+1&actor=bob", "via=api&actor=bob", "address=203.0.113.7&actor=bob",
        "request_id=r-7&actor=bob", "target=special", "target_id=k1", "action=list.made&actor=bob",
        "action=list&actor=bob", "actor=bob&from=2026-01-01", "actor=bob&to=9999-12-31", "actor=bob&token=",
    ],
)  # fmt: skip
def test_it_is_filtered_by_who_what_and_when(api: APIClient, query: str) -> None:
    before = head()
    write("ann")
    with acting(lambda: Actor(Via.API, "bob", token="till 1", address="203.0.113.7", request_id="r-7")):
        note(Action.LIST_MADE, "special", target_id="k1")
    write("ann", Action.TOKEN_MADE)
    found = [entry["number"] for entry in get(api, f"?{query}")["results"] if entry["number"] > before]
    assert found == [before + 2]


def test_days_and_moments_bound_it(api: APIClient) -> None:
    at = write().at
    day, moment = at.date().isoformat(), chain.moment_text(at)
    assert get(api, f"?limit=1&from={day}&to={day}")["results"] != []
    assert get(api, f"?limit=1&from={moment}")["results"] != []
    assert get(api, f"?from={moment}&to={moment}")["results"] == []
    assert get(api, "?from=2020-01-01&to=2020-12-31")["results"] == []


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("action=user.changes", "action"),
        ("action=users", "action"),
        ("actors=ann", "actors"),
        ("via=nobody", "via"),
        ("from=yesterday", "from"),
        ("from=2026-02-01&to=2026-01-01", "to"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=0", "cursor"),
        ("actor=a&actor=b", "actor"),
        ("target=%00", "target"),
    ],
)
def test_what_makes_no_sense_is_told_by_its_name(api: APIClient, query: str, wrong: str) -> None:
    answer = api.get(f"{PATH}?{query}")
    assert (answer.status_code, list(answer.json())) == (400, [wrong])


def test_it_takes_a_right_of_its_own(api: APIClient, settings: Settings, people: list[User]) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    assert api.get(PATH).status_code == 401
    all_but = frozenset(Right) - {Right.AUDIT}
    for name, rights, status in (("most", all_but, 403), ("auditor", frozenset({Right.AUDIT}), 200)):
        token, _ = tokens.create(name, rights=rights)
        answer = api.get(PATH, HTTP_AUTHORIZATION=f"Bearer {token}")
        assert answer.status_code == status, name
    assert api.get("/api/pipeline/", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 403


def test_nothing_else_is_done_to_it(api: APIClient) -> None:
    for method in (api.post, api.put, api.patch, api.delete):
        assert method(PATH).status_code == 405


# --- The admin's page ------------------------------------------------------------------------------


def test_the_page_shows_it_as_text_and_changes_nothing(root: Client) -> None:
    entry = write(HOSTILE, target=HOSTILE, reason=HOSTILE, said=HOSTILE)
    shown = page(root, LIST) + page(root, f"{LIST}{entry.pk}/change/")
    assert "<script>alert('1')" not in shown
    assert "&lt;script&gt;alert(&#x27;1&#x27;)" in shown
    assert "Audit trail" in shown
    assert str(entry.hash) in shown
    assert root.get(f"{LIST}add/").status_code == 403
    assert root.post(f"{LIST}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert root.post(f"{LIST}{entry.pk}/change/", {"actor": "x"}).status_code == 403


def test_an_entry_of_an_alert_leads_to_it_and_names_its_user(
    client: Client, root: Client, people: list[User]
) -> None:
    alert = open_alert(people[1])
    write(action=Action.ALERT_CLAIMED, target=str(alert), target_id=alert.pk)
    link = f'<a href="/admin/alerts/alert/{alert.pk}/change/">Alert {alert.pk}</a>'
    assert f"{link} {alert} ({people[1].username})" in page(root, LIST)
    # Who may not see alerts is told what the trail has, and no more.
    client.logout()
    staff(client, "view_entry")
    shown = page(client, LIST)
    assert str(alert) in shown
    assert link not in shown


def test_the_page_is_for_who_may_see_it(client: Client, people: list[User]) -> None:
    staff(client, "view_transaction")
    assert client.get(LIST).status_code == 403
    assert client.get(f"{LIST}export/").status_code == 403
    assert LIST not in page(client, reverse("admin:index"))


def test_what_one_request_did_many_times_is_one_row_that_leads_to_the_others(root: Client) -> None:
    write("bob", target="an earlier one")
    first, *_, last = [write(target=f"thing {n}").number for n in range(4)]
    write("bob", target="after")
    shown = page(root, LIST)
    assert all(name in shown for name in ("an earlier one", "thing 3", "after"))
    assert "thing 2" not in shown
    others = f"?number__gte={first}&amp;number__lte={last}"
    assert f'thing 3 <a href="{others}">and 3 more</a>' in shown
    all_of_them = page(root, LIST + others.replace("&amp;", "&"))
    assert all(f"thing {n}" in all_of_them for n in range(4))
    assert "an earlier one" not in all_of_them
    # Whoever looks for something finds each, and so does whoever saves the trail.
    assert "thing 2" in page(root, f"{LIST}?q=ann")
    answer: Any = root.get(f"{LIST}export/")
    assert "thing 2" in b"".join(answer.streaming_content).decode()


def test_a_run_of_a_command_is_one_row_and_somebody_else_s_another(root: Client) -> None:
    with acting(lambda: Actor(Via.COMMAND, "somebody", request_id="run 1")):
        note(Action.USER_MADE, "3 customers")
        note(Action.USER_MADE, "4 customers")
    assert "4 customers <a" in page(root, LIST)
    with acting(lambda: Actor(Via.COMMAND, "somebody else", request_id="run 2")):
        note(Action.USER_MADE, "5 customers")
    shown = page(root, LIST)
    assert "5 customers <a" not in shown
    assert "4 customers <a" in shown


def test_each_run_of_a_command_has_a_row_of_its_own(root: Client) -> None:
    for run in ("run 1", "run 2"):
        with acting(lambda run=run: Actor(Via.COMMAND, "somebody", request_id=run)):  # type: ignore[misc]
            note(Action.LIST_CHANGED, f"changed by {run}")
    shown = page(root, LIST)
    assert "changed by run 1" in shown
    assert "changed by run 2 <a" not in shown


def test_two_runs_of_rules_are_two_rows(root: Client) -> None:
    before = head()
    for name in ("First list", "Second list"):
        call_command("rules", "list-make", name)
    assert len({entry.request_id for entry in since(before)} - {""}) == 2
    shown = page(root, LIST)
    assert "First list" in shown
    assert "Second list <a" not in shown


def test_what_comes_from_no_request_and_no_run_is_a_row_each(root: Client) -> None:
    """What a worker notes of two webhooks, say, belongs together as little as two workers do."""
    note(Action.WEBHOOK_CHANGED, "the first webhook")
    note(Action.WEBHOOK_CHANGED, "the second webhook")
    assert "the first webhook" in page(root, LIST)


@pytest.mark.parametrize(
    "action", [Action.LOG_IN_FAILED, Action.TOKEN_REVOKED, Action.USER_RIGHTS, Action.GROUP_RIGHTS]
)
def test_log_ins_tokens_and_rights_are_a_row_each_whatever_id_the_client_sends(
    root: Client, action: Action
) -> None:
    write(action=action, target="the first one")
    write(action=action, target="the second one")
    assert "the first one" in page(root, LIST)


def test_the_page_is_narrowed_by_kind_time_and_name(root: Client) -> None:
    write("ann", target="needle")
    write("bob", Action.LIST_MADE, target="haystack")
    assert "needle" in page(root, f"{LIST}?kind=user&q=ann")
    assert "haystack" not in page(root, f"{LIST}?kind=user")
    assert "needle" not in page(root, f"{LIST}?kind=list")
    assert "haystack" in page(root, f"{LIST}?q=haystack")
    assert "haystack" in page(root, f"{LIST}?via__exact=api&at__gte=2020-01-01+00:00:00%2B00:00")
    assert "haystack" not in page(root, f"{LIST}?at__lt=2020-01-01+00:00:00%2B00:00")
    assert root.get(f"{LIST}?hash=1").status_code == 400


def test_by_what_way_something_was_done_is_called_how(root: Client) -> None:
    # Its key: numbers have no gaps, as keys have where a transaction was rolled back.
    key = write("ann").pk
    for path in (LIST, f"{LIST}{key}/change/"):
        shown = page(root, path)
        assert "How" in shown, path
        assert "Via" not in shown, path


@pytest.mark.parametrize("term", ["twice", "till 9", "203.0.113.9", "r-9", "thing"])
def test_the_page_is_searched_in_all_columns_at_once(root: Client, term: str) -> None:
    actor = Actor(Via.API, "twice", token="till 9", address="203.0.113.9", request_id="r-9")
    with acting(lambda: actor):
        note(Action.USER_CHANGED, "thing")
    write("somebody", target="twice")
    write("nobody", target="elsewhere")
    shown = page(root, f"{LIST}?q={term}")
    assert ("thing" in shown, "somebody" in shown, "elsewhere" in shown) == (True, term == "twice", False)


def test_its_export_is_an_entry_too(root: Client) -> None:
    entry = write()
    answer: Any = root.get(f"{LIST}export/?q=ann")
    rows = list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))
    answer.close()
    assert rows[0]["number"] == str(entry.number)
    assert rows[0]["hash"] == entry.hash
    assert (newest()[0].action, newest()[0].target) == ("export.read", "audit trail")
