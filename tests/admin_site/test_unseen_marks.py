"""Marks that are not seen, or turn the direction of writing, are shown by their number on every page."""

import re
from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.admin_pages import reject, store, url
from tests.support.alerts import burst, burst_rule
from transactions.access import tokens
from transactions.alerts.models import Alert
from transactions.models import CustomerNote, SavedView
from transactions.rules.models import Rule, UserList
from transactions.templatetags.components import UNSEEN

pytestmark = pytest.mark.django_db(transaction=True)

MARK = "\u202e\u200b"
# Beside these nothing that a browser shows as text; values of fields are sent again as they are.
UNSHOWN = {"script", "style", "textarea"}


class Text(HTMLParser):
    """The text of a page, and what is read aloud of it."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.within: list[str] = []
        self.texts: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSHOWN:
            self.within.append(tag)
        self.texts += [value for name, value in attrs if name == "aria-label" and value]

    def handle_endtag(self, tag: str) -> None:
        if self.within and self.within[-1] == tag:
            self.within.pop()

    def handle_data(self, data: str) -> None:
        if not self.within:
            self.texts.append(data)


def unseen(client: Client, path: str) -> list[str]:
    response = client.get(path)
    assert response.status_code == 200, path
    return [text.strip() for text in Text(response.content.decode()).texts if UNSEEN.search(text)]


@pytest.fixture
def pages(client: Client, settings: Settings) -> tuple[Client, list[str]]:
    """Every page that shows what somebody outside has named, with such marks in each name."""
    settings.FOUR_EYES = False
    root = User.objects.create_superuser(f"ro{MARK}ot")
    client.force_login(root)
    user = User.objects.create_user(f"al{MARK}ice")
    burst_rule(f"Fail{MARK}ures")
    burst(user, ids=f"F{MARK}")
    row = store(user, f"IN{MARK}V")
    rejected = reject(f"{MARK}", id=f"NO{MARK}")
    take(record(f"WAIT{MARK}S", user))
    view = SavedView.objects.create(owner=root, name=f"Vi{MARK}ew", query=f"user={user.pk}", shared=True)
    CustomerNote.objects.create(customer=user.pk, text="A note", by_name=root.username)
    UserList.objects.create(name=f"Li{MARK}st")
    tokens.create("till", username=user.username)
    alert, rule = Alert.objects.get(), Rule.objects.get()
    lists = [
        reverse(f"admin:{name}_changelist")
        for name in (
            "transactions_transaction", "transactions_rejectedrecord", "transactions_customer", "auth_user",
            "alerts_alert", "rules_rule", "rules_userlist", "transactions_apitoken", "audit_entry",
        )
    ]  # fmt: skip
    rows = [row, rejected, alert, rule, UserList.objects.get()]
    names = [(f"admin:{each._meta.app_label}_{each._meta.model_name}_change", each.pk) for each in rows]
    return client, [
        reverse("admin:index"),
        *lists,
        url("transaction", "?state=waiting"),
        url("transaction", "?state=rejected"),
        url("transaction", f"?view={view.key}"),
        url("transaction", f"?user={user.pk}&q=INV{MARK}"),
        *(reverse(name, args=[key]) for name, key in names),
        reverse("admin:transactions_customer_change", args=[user.pk]),
        reverse("admin:transactions_transaction_delete", args=[row.pk]),
        f"/admin/find/?q=IN{MARK}V",
    ]  # fmt: skip


def test_no_page_shows_a_name_with_marks_that_nobody_sees(pages: tuple[Client, list[str]]) -> None:
    client, paths = pages
    assert {path: found for path in paths if (found := unseen(client, path))} == {}


def test_an_id_is_shown_with_the_numbers_of_its_marks(pages: tuple[Client, list[str]]) -> None:
    client, _ = pages
    shown = client.get(url("transaction")).content.decode()
    assert "⟨202E⟩" in re.sub("<[^>]*>", "", shown)
    # What is copied, and sent again, is the id itself.
    assert f'title="IN{MARK}V"' in shown
