"""What no view is to judge is refused in one place, with a status of its own, and never our error."""

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from tests.support.admin_pages import superuser
from tests.support.alerts import open_alert
from tests.support.at_once import ask_all, request
from tests.support.rules import rule_in_force
from transaction_monitoring.observability.logs import ReadableFormatter
from transactions.notifications import endpoints
from transactions.rules.models import UserList
from transactions.views import transactions as views

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_hashes")]

FORM = "application/x-www-form-urlencoded"
LOGIN = "/admin/login/"
TOLD_OF_NUL = b"The request has a NUL character, which no text here has.\n"


def posted(body: bytes | str, content_type: str) -> Any:
    """The answer to a form that comes with a cookie against CSRF, which Django then looks for in it."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.cookies["csrftoken"] = "a" * 32
    return client.generic("POST", LOGIN, body, content_type=content_type)


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ("iso-8859-1", "iso-8859-1"),
        ("UTF-16", "UTF-16"),
        ("foo", "foo"),
        ('"windows-1252"', "windows-1252"),
        ("utf-8; charset=latin1", "latin1"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=b"])
def test_a_form_of_another_charset_is_refused_by_name(stated: str, named: str, kind: str) -> None:
    answer = posted(b"username=a&password=b", f"{kind}; charset={stated}")
    assert answer.status_code == 415
    assert answer.content.decode() == f'Unsupported charset "{named}". Send UTF-8.\n'


@pytest.mark.parametrize("stated", ["utf-8", "UTF-8", "utf8", "UTF8", '"UTF-8"', "utf_8"])
def test_utf_8_is_utf_8_however_it_is_spelled(client: Client, stated: str) -> None:
    User.objects.create_superuser("jürgen", password="right")
    answer = client.post(
        LOGIN, "username=j%C3%BCrgen&password=right", content_type=f"{FORM}; charset={stated}"
    )
    assert answer.status_code == 302


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("&".join(f"a{number}=1" for number in range(2_000)), FORM, 400),
        (b"nothing of the kind", "multipart/form-data", 400),
        (b"nothing of the kind", "multipart/form-data; boundary=b", 403),
        (b"a=" + b"1" * 6_000_000, FORM, 400),
    ],
    ids=["too many fields", "no boundary", "no form", "too large"],
)
def test_the_page_of_a_form_that_cannot_be_read_is_an_answer(
    body: bytes | str, content_type: str, status: int
) -> None:
    assert posted(body, content_type).status_code == status


@pytest.mark.parametrize("path", ["/livez", "/api/pipeline/", LOGIN, "/api/add-transaction/"])
def test_a_method_in_small_letters_is_another_method(open_url: str, path: str) -> None:
    sent = request(path).replace(b"GET", b"get", 1)
    (answer,) = asyncio.run(ask_all(open_url, sent))
    assert answer.status == 405
    assert "GET" in answer.headers["Allow"]


def test_a_nul_in_a_term_of_the_admin_is_a_bad_request(client: Client, people: list[User]) -> None:
    root = superuser(client)
    root.raise_request_exception = False
    for label, model, field in (("transactions", "apitoken", "user"), ("admin", "logentry", "user")):
        query = {"app_label": label, "model_name": model, "field_name": field, "term": "a\0b"}
        answer = root.get(reverse("admin:autocomplete"), query)
        assert (answer.status_code, answer.content) == (400, TOLD_OF_NUL)


def test_a_lookup_that_is_refused_is_one_line_and_no_error(
    client: Client, people: list[User], caplog: pytest.LogCaptureFixture
) -> None:
    root = superuser(client)
    with caplog.at_level(logging.INFO):
        assert root.get("/admin/auth/user/?password__startswith=a").status_code == 400
    lines = [record for record in caplog.records if record.name.startswith("django")]
    (line,) = [ReadableFormatter().format(record) for record in lines]
    assert " WARNING django.security.DisallowedModelAdminLookup: " in line
    assert "\n" not in line


def test_the_schema_is_made_once_for_all_who_ask_at_once(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[None] = []
    make: Any = SchemaGenerator.get_schema

    def making(*args: Any, **more: Any) -> Any:
        made.append(None)
        return make(*args, **more)

    monkeypatch.setattr(SchemaGenerator, "get_schema", making)
    views._made_schema.cache_clear()

    def ask(_: int) -> int:
        try:
            return APIClient().get("/api/schema/").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {200}
    assert made == [None]


# Half a character, a NUL; in JSON both can be said.
NO_TEXT = ["\ud800", "\udfff x", "a\0b"]
A_RULE = {"name": "x", "kind": "amount", "parameters": {"amount": 5}}


@pytest.mark.parametrize("text", NO_TEXT, ids=ascii)
def test_no_call_fails_over_a_text_that_is_none(people: list[User], settings: Any, text: str) -> None:
    settings.FOUR_EYES, settings.WEBHOOK_SECRET_KEYS = False, ["k" * 32]
    api = APIClient(raise_request_exception=False)
    api.force_login(User.objects.create_superuser("root"))
    alert = open_alert(people[0]).pk
    rule = rule_in_force("amount", name="Large", amount=5).rule.pk
    users = UserList.objects.create(name="Watched").pk
    hook = endpoints.add("https://example.org/hook")[0].pk
    seen = {"version": 1}
    bulk = {"alerts": [{"id": alert, "version": 1}]}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("post", f"alerts/{alert}/assign/", {**seen, "assignee": text}),
        ("post", f"alerts/{alert}/note/", {"text": text}),
        ("post", f"alerts/{alert}/close/", {**seen, "disposition": text, "reason": "x"}),
        ("post", f"alerts/{alert}/close/", {**seen, "disposition": "EXPECTED", "reason": text}),
        ("post", f"alerts/{alert}/reopen/", {**seen, "reason": text}),
        ("post", f"alerts/{alert}/snooze/", {**seen, "until": text, "reason": text}),
        ("post", f"alerts/{alert}/claim/", {**seen, text: 1}),
        ("post", "alerts/bulk/", {**bulk, "step": "assign", "assignee": text}),
        ("post", "alerts/bulk/", {**bulk, "step": "claim", "assignee": text}),
        ("post", "alerts/bulk/", {**bulk, "step": text}),
        ("post", "alerts/bulk/", {"step": "claim", "alerts": [{"id": text, text: 1}]}),
        ("post", "rules/", {**A_RULE, "name": text}),
        ("post", "rules/", {**A_RULE, "description": text}),
        ("post", "rules/", {**A_RULE, "severity": text}),
        ("post", "rules/", {**A_RULE, "kind": text}),
        ("post", "rules/", {**A_RULE, "parameters": {"amount": text}}),
        ("post", "rules/", {**A_RULE, "parameters": {text: 5}}),
        ("post", "rules/", {**A_RULE, "parameters": {"amount": 5, "filter": {"users_in": text}}}),
        ("post", "rules/", {**A_RULE, "parameters": {"amount": 5, "filter": {"zone": text}}}),
        ("post", "rules/", {**A_RULE, "kind": "listed", "parameters": {"list": text}}),
        ("patch", f"rules/{rule}/", {"name": text}),
        ("post", f"rules/{rule}/versions/", {"kind": text, "parameters": {}}),
        ("post", f"rules/{rule}/backtests/", {"version": text, "from": text, text: 1}),
        ("post", "rules/import/", {"rules": [{**A_RULE, "name": text}]}),
        ("post", "rules/import/", {"rules": [{**A_RULE, text: text}]}),
        ("post", "rules/lists/", {"name": text}),
        ("post", "rules/lists/", {"name": "y", "description": text}),
        ("post", f"rules/lists/{users}/entries/", {"users": [people[0].pk], "comment": text}),
        ("post", f"rules/lists/{users}/entries/", {"users": [text]}),
        ("post", "webhooks/", {"url": text}),
        ("post", "webhooks/", {"url": "https://example.org/", "description": text}),
        ("post", "webhooks/", {"url": "https://example.org/", "types": [text]}),
        ("post", "webhooks/", {"url": "https://example.org/", "format": text}),
        ("patch", f"webhooks/{hook}/", {"description": text, text: 1}),
    ]  # fmt: skip
    answers = {
        f"{method} {path} {said}": getattr(api, method)(
            f"/api/{path}", json.dumps(said), content_type="application/json"
        ).status_code
        for method, path, said in calls
    }
    assert {call: status for call, status in answers.items() if status not in (400, 409)} == {}


def test_an_account_of_half_a_character_is_none(people: list[User]) -> None:
    api = APIClient()
    api.force_login(User.objects.create_superuser("root"))
    answer = api.post(
        f"/api/alerts/{open_alert(people[0]).pk}/assign/",
        '{"version": 1, "assignee": "\\ud800"}',
        content_type="application/json",
    )
    assert (answer.status_code, answer.json()) == (400, {"assignee": ["There is no such account."]})
