"""A form that is sent twice is stored once: by a double click, by going back, or where an answer got lost."""

import ast
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.support import alert_pages
from tests.support.alerts import open_alert
from tests.support.markup import markup
from tests.support.rule_pages import drafted
from transactions.admin_site import sent_once
from transactions.admin_site.sent_once import KEPT
from transactions.alerts.models import Alert, AlertEvent
from transactions.models import ApiToken, CustomerNote, SentForm
from transactions.notifications import endpoints, signing
from transactions.notifications.models import Endpoint
from transactions.rules.models import Backtest, Version

pytestmark = pytest.mark.django_db(transaction=True)

NOTHING_AGAIN = "This form had been sent already: nothing was done again."


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    """Secrets of webhooks can be kept."""
    settings.WEBHOOK_SECRET_KEYS = ["k" * 32]


class RefusedForm(NamedTuple):
    """A form that is refused: where it stands and is sent, what is typed and what is said; what makes it
    right, and whether it was done then.
    """

    page: str
    where: str
    typed: dict[str, str]
    said: str
    mend: Callable[[], None] | None = None
    done: Callable[[], bool] | None = None


def note_on_customer() -> tuple[str, str, dict[str, str]]:
    page = reverse("admin:transactions_customer_change", args=[User.objects.create_user("shop").pk])
    return page, page.replace("change/", "notes/"), {"text": "Called."}


def note_on_alert() -> tuple[str, str, dict[str, str]]:
    page = alert_pages.at(open_alert(User.objects.create_user("shop")))
    return page, page.replace("change/", "steps/note/"), {"version": "1", "text": "Called."}


def webhook() -> tuple[str, str, dict[str, str]]:
    page = reverse("admin:notifications_endpoint_new")
    return page, page, {"url": "https://example.org/webhooks"}


def token() -> tuple[str, str, dict[str, str]]:
    page = reverse("admin:transactions_apitoken_new")
    return page, page, {"name": "shop", "rights": "post"}


def draft() -> tuple[str, str, dict[str, str]]:
    page = reverse("admin:rules_rule_draft", args=[drafted().rule_id])
    return page, page, {"kind": "amount", "amount": "5", "severity": "LOW", "description": "", "keep": ""}


def backtest() -> tuple[str, str, dict[str, str]]:
    rule, today = drafted().rule_id, timezone.now().date().isoformat()
    asked = {"version": "1", "first": today, "last": today}
    return (
        reverse("admin:rules_rule_change", args=[rule]),
        reverse("admin:rules_rule_test", args=[rule]),
        asked,
    )


# Of each form where it stands, where it is sent and what is typed; and what is stored of it.
FORMS: dict[str, tuple[Callable[[], tuple[str, str, dict[str, str]]], type[Model], dict[str, Any]]] = {
    "note on a customer": (note_on_customer, CustomerNote, {}),
    "note on an alert": (note_on_alert, AlertEvent, {"step": "NOTED"}),
    "webhook": (webhook, Endpoint, {}),
    "token": (token, ApiToken, {}),
    "draft": (draft, Version, {"number__gt": 1}),
    "backtest": (backtest, Backtest, {}),
}


def filled_in(client: Client, page: str, typed: dict[str, str]) -> dict[str, str]:
    """What a browser sends of a form of this page: what is typed, and the token that comes with the page."""
    (found, *_) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', markup(client.get(page)))
    return {**typed, "csrfmiddlewaretoken": found}


def sent_twice_at_once(client: Client, where: str, form: dict[str, str]) -> list[Any]:
    """The answers to two requests that begin together."""
    both = Barrier(2)

    def send() -> Any:
        own = Client()
        own.cookies = client.cookies
        both.wait()
        try:
            return own.post(where, form)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as browsers:
        return [each.result() for each in [browsers.submit(send), browsers.submit(send)]]


@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_is_sent_twice_at_once_is_stored_once(root: Client, name: str) -> None:
    make, model, narrowed = FORMS[name]
    page, where, typed = make()
    answers = sent_twice_at_once(root, where, filled_in(root, page, typed))
    assert model._base_manager.filter(**narrowed).count() == 1
    # Both lead to what was stored.
    assert len({answer["Location"] for answer in answers}) == 1


def test_a_form_that_is_sent_again_later_says_that_it_was_sent(root: Client) -> None:
    page, where, typed = note_on_customer()
    form = filled_in(root, page, typed)
    assert NOTHING_AGAIN not in markup(root.post(where, form, follow=True))
    again = root.post(where, form, follow=True)
    assert again.redirect_chain == [(page, 302)]
    assert NOTHING_AGAIN in markup(again)
    assert CustomerNote.objects.count() == 1


def test_the_same_words_on_the_page_as_it_is_now_are_stored_again(root: Client) -> None:
    page, where, typed = note_on_customer()
    root.post(where, filled_in(root, page, typed))
    root.post(where, filled_in(root, page, typed))
    assert CustomerNote.objects.count() == 2


def test_other_words_in_the_same_form_are_stored_too(root: Client) -> None:
    page, where, typed = note_on_customer()
    form = filled_in(root, page, typed)
    for text in ("Called.", "Called again."):
        root.post(where, {**form, "text": text})
    assert CustomerNote.objects.count() == 2


def test_a_form_of_which_nothing_was_stored_is_judged_again(root: Client) -> None:
    page, where, _ = webhook()
    form = filled_in(root, page, {"url": "https://10.0.0.1/"})
    for _ in range(2):
        answer = root.post(where, form)
        assert answer.status_code == 200
        assert "The address 10.0.0.1 is not public" in markup(answer)
    assert not SentForm.objects.exists()


# --- What is refused by a page that leads on -------------------------------------------------------


def rights_to_alerts(user: User) -> None:
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_alert", "change_alert"]))


def assigned() -> RefusedForm:
    """To whom has no right to it, who is then given it."""
    ann, alert = User.objects.create_user("ann"), open_alert(User.objects.create_user("shop"))
    page = alert_pages.at(alert)
    return RefusedForm(
        page, page.replace("change/", "steps/assign/"), {"version": "1", "assignee": "ann"},
        "has no right", lambda: rights_to_alerts(ann), lambda: Alert.objects.get().assignee == ann,
    )  # fmt: skip


def closed_without_a_word() -> RefusedForm:
    alert = open_alert(User.objects.create_user("shop"))
    page = alert_pages.at(alert)
    return RefusedForm(
        page, page.replace("change/", "steps/close/"), {"version": "1"}, "Nothing has changed."
    )


def noted_nothing() -> RefusedForm:
    return RefusedForm(*note_on_customer()[:2], {"text": " "}, "A note")


def rotated_without_a_key() -> RefusedForm:
    endpoint, first = endpoints.add("https://example.org/webhooks")
    page = reverse("admin:notifications_endpoint_change", args=[endpoint.pk])
    where = reverse("admin:notifications_endpoint_step", args=[endpoint.pk, "rotate"])
    kept = settings.WEBHOOK_SECRET_KEYS

    def give_it_back() -> None:
        settings.WEBHOOK_SECRET_KEYS = kept

    settings.WEBHOOK_SECRET_KEYS = []
    return RefusedForm(
        page, where, {}, "WEBHOOK_SECRET_KEYS", give_it_back,
        lambda: signing.decrypt(Endpoint.objects.get().secret) != first,
    )  # fmt: skip


@pytest.mark.parametrize("make", [assigned, closed_without_a_word, noted_nothing, rotated_without_a_key])
def test_what_was_refused_is_no_form_that_was_sent(root: Client, make: Callable[[], RefusedForm]) -> None:
    """Sent again by going back it is judged as things are now: nobody is told that it was done already."""
    refused = make()
    form = filled_in(root, refused.page, refused.typed)
    for _ in range(2):
        said = markup(root.post(refused.where, form, follow=True))
        assert refused.said in said
        assert NOTHING_AGAIN not in said
    assert not SentForm.objects.exists()
    if refused.mend and refused.done:
        refused.mend()
        assert NOTHING_AGAIN not in markup(root.post(refused.where, form, follow=True))
        assert refused.done()
        assert NOTHING_AGAIN in markup(root.post(refused.where, form, follow=True))


def test_no_view_of_such_a_form_tells_an_error_and_leads_on_by_itself() -> None:
    """Else it is taken for stored: raising that nothing was tells it, and takes back what was begun."""
    own = []
    for module in Path(sent_once.__file__).parent.rglob("*.py"):
        for each in ast.walk(ast.parse(module.read_text())):
            if isinstance(each, ast.FunctionDef) and "sent_once" in map(ast.unparse, each.decorator_list):
                own += [f"{module.name}: {each.name}"] if "messages.error" in ast.unparse(each) else []
    assert own == []


def test_which_forms_were_sent_is_forgotten_in_time(root: Client) -> None:
    page, where, typed = note_on_customer()
    root.post(where, filled_in(root, page, typed))
    SentForm.objects.update(sent_at=timezone.now() - 2 * KEPT)
    root.post(where, filled_in(root, page, typed))
    assert SentForm.objects.count() == 1


def test_a_secret_is_rotated_once_however_often_the_form_is_sent(root: Client) -> None:
    endpoint, first = endpoints.add("https://example.org/webhooks")
    page = reverse("admin:notifications_endpoint_change", args=[endpoint.pk])
    where = reverse("admin:notifications_endpoint_step", args=[endpoint.pk, "rotate"])
    form = filled_in(root, page, {})
    assert 'id="secret"' in markup(root.post(where, form))
    again = root.post(where, form, follow=True)
    assert again.redirect_chain == [(page, 302)]
    assert NOTHING_AGAIN in markup(again)
    # The receiver knows this one until it is given the other.
    assert signing.decrypt(Endpoint.objects.get().old_secret) == first
