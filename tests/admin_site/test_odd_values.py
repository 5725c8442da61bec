"""Whatever an admin page is asked, the answer is a page, a redirect or a 4xx, never our error."""

from urllib.parse import quote_from_bytes, urlencode

import pytest
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import MODELS, store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LISTS = [*(f"transactions_{model}" for model in (*MODELS, "apitoken")), "auth_user", "auth_group"]
ODD = {
    "NUL amid": b"a\0b",
    "a surrogate": b"\xed\xa0\x80",
    "10^400": b"1" + b"0" * 400,
    "just over a bigint": b"9223372036854775808",
    "a huge negative": b"-" + b"9" * 30,
    "other digits": "١".encode(),
    "infinity": b"1e400",
    "a late year": b"9999-12-31T23:59:59-14:00",
    "an early year": b"0001-01-01T00:00:00+14:00",
}
NAMES = [
    "q", "p", "o", "e", "all", "_to_field", "_changelist_filters", "status__exact", "user", "batch",
    "resolution", "created_at__gte", "created_at__lt", "created_at__year", "created_at__month",
    "created_at__day",
    "is_staff__exact", "groups__id__exact", "id__in", "status", "state", "order", "cursor", "view", "from",
    "to", "timezone", "amount_min", "amount_max",
    "status__exact__regex",
]  # fmt: skip
ASKED = [
    "from",
    "to",
    "timezone",
    "transaction_id",
    "s",
    "term",
    "app_label",
    "model_name",
    "field_name",
    "page",
]


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_no_value_in_a_list_is_our_error(root: Client, people: list[User], value: bytes) -> None:
    store(people[0])
    root.raise_request_exception = False
    failed = []
    for name in LISTS:
        paths = [reverse(f"admin:{name}_changelist")]
        if name in ("transactions_transaction", "transactions_rejectedrecord"):
            paths.append(reverse(f"admin:{name}_export"))
        for path in paths:
            for parameter in NAMES:
                query = f"{parameter}={quote_from_bytes(value)}"
                answer = root.get(f"{path}?{query}")
                if answer.status_code not in (200, 302, 400):
                    failed.append((path, query[:60], answer.status_code))
                if isinstance(answer, StreamingHttpResponse):
                    b"".join(answer)
    assert failed == []


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_no_value_in_any_other_page_is_our_error(root: Client, people: list[User], value: bytes) -> None:
    row = store(people[0])
    root.raise_request_exception = False
    odd = quote_from_bytes(value, safe="")
    paths = [
        reverse("admin:index"),
        reverse("admin:autocomplete"),
        reverse("admin:jsi18n"),
        reverse("admin:transactions_transaction_change", args=[row.pk]),
        reverse("admin:transactions_transaction_history", args=[row.pk]),
        reverse("admin:auth_user_change", args=[people[0].pk]),
        "/admin/search/",
        "/admin/find/",
        "/admin/find/found/",
        *(
            reverse(f"dashboard-{page}")
            for page in ("figures", "averages", "names", "refused", "start", "story")
        ),
    ]
    failed = []
    for path in paths:
        for query in ("&".join(f"{name}={odd}" for name in NAMES), *(f"{name}={odd}" for name in ASKED)):
            if (status := root.get(f"{path}?{query}").status_code) >= 500:
                failed.append((path, query[:60], status))
    for part in (
        "transactions/transaction",
        "transactions/rejectedrecord",
        "transactions/apitoken",
        "auth/user",
        "auth/group",
        "r/1",
        "r",
    ):
        for end in ("change/", "history/", "delete/", "", "password/"):
            path = f"/admin/{part}/{odd}/{end}"
            if (status := root.get(path).status_code) >= 500:
                failed.append((path[:60], "", status))
    assert failed == []


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_no_value_in_an_action_s_form_is_our_error(root: Client, people: list[User], value: bytes) -> None:
    row = store(people[0])
    root.raise_request_exception = False
    failed = []
    for name in LISTS:
        for field in ("action", "_selected_action", "index", "select_across", "post", "form-TOTAL_FORMS"):
            form = {"action": "delete_selected", "_selected_action": str(row.pk), "index": "0"}
            body = urlencode({**form, field: value})
            path = reverse(f"admin:{name}_changelist")
            answer = root.post(path, body, content_type="application/x-www-form-urlencoded")
            if answer.status_code >= 500:
                failed.append((path, field, answer.status_code))
    assert failed == []
