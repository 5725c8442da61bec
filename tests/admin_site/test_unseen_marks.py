"""Marks that are not seen, or turn the direction of writing, are shown by their number on every page."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.admin_pages import reject, store, url
from tests.support.alerts import burst, burst_rule
from transactions.access import tokens
from transactions.alerts.models import Alert, AlertEvent, Snooze, Step
from transactions.audit.actions import Action
from transactions.audit.actors import because
from transactions.audit.entries import note
from transactions.audit.models import Entry
from transactions.encodings import UNSEEN, UNSEEN_RANGES
from transactions.models import CustomerNote, Epoch, SavedView
from transactions.notifications.models import Endpoint, SystemAlarm
from transactions.rules import lifecycle
from transactions.rules.models import Backtest, Debt, ListEntry, Rule, UserList, Version
from transactions.templatetags.components import visible, visible_json

pytestmark = pytest.mark.django_db(transaction=True)

# One of each range that text may have, which has none of its controls.
MARK = "\u202e\u200b" + "".join(chr(first) for first, _ in UNSEEN_RANGES if first > 0xA0)
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


def in_trouble(root: User) -> Backtest:
    """The rule there is was written by somebody with such marks, and fails; so does the system."""
    version = Version.objects.get()
    theirs = lifecycle.draft(version.rule, version.kind, version.parameters, root)
    lifecycle.submit(theirs)
    lifecycle.approve(theirs, root)
    lifecycle.draft(version.rule, version.kind, version.parameters, root)
    Debt.objects.create(version=version, error=f"No fi{MARK}eld")
    Epoch.objects.update(alarm=f"Va{MARK}nished")
    SystemAlarm.objects.create(key="mail", text=f"Webhook 1 (Ho{MARK}ok) fails")
    now = timezone.now()
    return Backtest.objects.create(
        rule=version.rule, version=version, kind=version.kind, parameters=version.parameters, beside=None,
        begin=now - timedelta(days=1), end=now, state="FAILED", ended_at=now, error=f"No ta{MARK}ble",
    )  # fmt: skip


def written(root: User, user: User) -> tuple[SavedView, UserList]:
    """What somebody here has named and said, of the rule and the alert that there are too."""
    view = SavedView.objects.create(owner=root, name=f"Vi{MARK}ew", query=f"user={user.pk}", shared=True)
    CustomerNote.objects.create(customer=user.pk, text=f"A n{MARK}ote", by_name=root.username)
    users = UserList.objects.create(name=f"Li{MARK}st", description=f"Wh{MARK}o?")
    tomorrow = timezone.now().replace(second=0, microsecond=0) + timedelta(days=1)
    ListEntry.objects.create(list=users, user=user, comment=f"Be{MARK}cause", starts_at=tomorrow)
    rule = Rule.objects.get()
    Snooze.objects.create(rule=rule.pk, user=user.pk, reason=f"Kno{MARK}wn", ends_at=tomorrow)
    AlertEvent.objects.create(
        alert=Alert.objects.get(),
        step=Step.NOTED,
        by=root,
        by_name=root.username,
        text=f"Lo{MARK}ok",
        version=1,
    )
    with because(f"Fo{MARK}r this"):
        note(Action.EXPORTED, f"Li{MARK}st", query=f"q={MARK}")
    return view, users


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
    view, users = written(root, user)
    tokens.create("till", username=user.username)
    alert, rule = Alert.objects.get(), Rule.objects.get()
    webhook = Endpoint.objects.create(url="https://example.org", description=f"Ho{MARK}ok", secret="x")
    backtest = in_trouble(root)
    lists = [
        reverse(f"admin:{name}_changelist")
        for name in (
            "transactions_transaction", "transactions_rejectedrecord", "transactions_customer", "auth_user",
            "alerts_alert", "rules_rule", "rules_userlist", "transactions_apitoken", "audit_entry",
            "notifications_endpoint",
        )
    ]  # fmt: skip
    rows = [row, rejected, alert, rule, users, webhook, Entry.objects.latest("number")]
    names = [(f"admin:{each._meta.app_label}_{each._meta.model_name}_change", each.pk) for each in rows]
    return client, [
        reverse("admin:index"),
        reverse("dashboard-alarms"),
        reverse("system"),
        reverse("admin:rules_rule_backtest", args=[rule.pk, backtest.pk]),
        *lists,
        url("transaction", "?state=waiting"),
        url("transaction", "?state=rejected"),
        url("transaction", f"?view={view.key}"),
        url("transaction", f"?user={user.pk}&q=INV{MARK}"),
        *(reverse(name, args=[key]) for name, key in names),
        reverse("admin:transactions_customer_change", args=[user.pk]),
        reverse("admin:alerts_alert_snoozes"),
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


@pytest.mark.parametrize("ends", UNSEEN_RANGES, ids=lambda ends: f"{ends[0]:04X}")
def test_each_such_mark_is_shown_by_its_number_and_copied_from_json_as_it_is(ends: tuple[int, int]) -> None:
    for mark in map(chr, ends):
        assert visible(f"a{mark}b") == f"a⟨{ord(mark):04X}⟩b"
        shown = visible_json(json.dumps({"id": f"a{mark}b"}, ensure_ascii=False))
        assert mark not in shown
        assert json.loads(shown) == {"id": f"a{mark}b"}


@pytest.mark.parametrize("text", ["Ünï 日本語 עברית é e\u0301 😀 \xa0\u3000\t\n\r ¿"])
def test_what_is_seen_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "⚠\ufe0f look",
        "1\ufe0f⃣",
        "👩\u200d💻",
        "👩🏽\u200d❤\ufe0f\u200d👨",
        "می\u200cخواهم",
        "क्\u200dष",
        "ක්\u200dරි",
    ],
    ids=ascii,
)
def test_what_joins_or_draws_the_signs_beside_it_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    "text",
    ["a\ufe0fb", "a\u200db", "a\u200cb", "\u200dم", "م\u200c", "12\ufe0f", "😀\u200dx", "م\u200c\u200cم"],
    ids=ascii,
)
def test_what_joins_nothing_is_shown_by_its_number(text: str) -> None:
    assert "⟨" in visible(text)
