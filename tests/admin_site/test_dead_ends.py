"""With each right by itself: no page leads where its viewer may not go, and what may be opened is found."""

import html
import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import reject, store
from tests.support.alerts import open_alert
from tests.support.rule_pages import drafted
from transactions.access import tokens
from transactions.access.grants import SENTENCES
from transactions.access.rights import Right
from transactions.models import CustomerNote

pytestmark = pytest.mark.django_db(transaction=True)

RIGHTS = [name for sentences in SENTENCES.values() for name in sentences]
LISTS = (
    "alerts_alert", "transactions_transaction", "transactions_customer", "rules_rule", "rules_userlist",
    "transactions_flushbatch", "transactions_rejectedrecord", "transactions_epoch", "audit_entry",
    "transactions_apitoken", "notifications_endpoint", "notifications_recipient", "auth_user", "auth_group",
)  # fmt: skip
# Pages that stand for themselves, beside the lists.
PLACES = ("admin:index", "system", "api-docs", "admin:rules_rule_performance")
# What leads out, and what is no page.
LEFT_OUT = re.compile(r"/admin/(logout|jsi18n|r/)|/static/")
PAGES_MAX = 60


@pytest.fixture
def rows(people: list[User]) -> list[str]:
    """Something in each list; the pages of these and their forms."""
    alice, bob, carol = people
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    User.objects.filter(pk=carol.pk).update(is_superuser=True, is_staff=True)
    CustomerNote.objects.create(customer=alice.pk, text="Called.", by=bob, by_name="bob")
    _, token = tokens.create("till", rights=frozenset({Right.POST, Right.READ}))
    night = Group.objects.create(name="night")
    shown = {
        "transactions_transaction": store(alice), "transactions_rejectedrecord": reject("{}"),
        "alerts_alert": open_alert(alice), "rules_rule": drafted().rule, "auth_group": night,
        "transactions_apitoken": token, "transactions_customer": alice,
    }  # fmt: skip
    paths = [reverse(f"admin:{model}_change", args=[row.pk]) for model, row in shown.items()]
    paths += [reverse("admin:auth_user_change", args=[row.pk]) for row in people]
    paths += [reverse(f"admin:auth_{model}_add") for model in ("user", "group")]
    paths += [reverse(f"admin:auth_{row._meta.model_name}_delete", args=[row.pk]) for row in (alice, night)]
    return [*paths, reverse("admin:transactions_apitoken_new"), reverse("admin:transactions_apitoken_made")]


def with_right(client: Client, name: str) -> Client:
    """Somebody of the staff who may this, and nothing else."""
    application, codename = name.split(".")
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(
        [Permission.objects.get(content_type__app_label=application, codename=codename)]
    )
    client.force_login(user)
    return client


def places() -> list[str]:
    return [reverse(name) for name in PLACES] + [reverse(f"admin:{model}_changelist") for model in LISTS]


def links(shown: str) -> Iterator[str]:
    """Where the links of a page lead, within this site."""
    for there in re.findall(r'<a\s[^>]*?href="(/[^"]*)"', shown):
        if not LEFT_OUT.match(there):
            yield html.unescape(there).partition("#")[0]


def sidebar(client: Client) -> set[str]:
    """The links of the menu, as they stand on a page that all the staff may see."""
    shown = client.get(reverse("admin:password_change")).content.decode()
    (menu,) = re.findall(r'<nav aria-label="Pages">.*?</nav>', shown, re.DOTALL)
    return set(links(menu))


@pytest.mark.parametrize("right", RIGHTS)
def test_no_link_of_a_page_leads_where_one_may_not_go(client: Client, rows: list[str], right: str) -> None:
    with_right(client, right)
    # Some are known by their address alone; from there on it goes by links.
    waiting = [(path, "") for path in [*places(), *rows]]
    refused: set[str] = set()
    seen: set[str] = set()
    dead: set[str] = set()
    while waiting and len(seen) < PAGES_MAX:
        path, shown_on = waiting.pop(0)
        name = path.partition("?")[0]
        if name in refused and shown_on:
            dead.add(f"{path} on {shown_on}")
        if name in seen:
            continue
        seen.add(name)
        answer = client.get(path)
        if answer.status_code == 403:
            refused.add(name)
            dead |= {f"{path} on {shown_on}"} if shown_on else set()
        elif answer.status_code == 302:
            waiting.append((answer["Location"], name))
        elif answer.status_code == 200 and not answer.streaming:
            waiting += [(there, name) for there in links(answer.content.decode())]
        # An export has a place until it is closed.
        answer.close()
    assert sorted(dead) == []


@pytest.mark.parametrize("right", RIGHTS)
def test_the_menu_has_every_page_that_one_may_open(client: Client, right: str) -> None:
    with_right(client, right)
    # The name of the product leads to the first page.
    found = sidebar(client) | {reverse("admin:index")}
    # A page with tabs has these; the lists of mail and of webhooks have an entry each.
    for there in list(found):
        found |= set(links(client.get(there).content.decode()))
    left_out = [path for path in places() if path not in found]
    opened = {path: client.get(path) for path in left_out}
    for answer in opened.values():
        answer.close()
    assert [path for path, answer in opened.items() if answer.status_code == 200] == []
