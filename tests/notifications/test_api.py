"""Events and webhooks by the API: pages, secrets shown once, and each wrong thing by its name."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.support.receiving import Receiver
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.notifications import numbering, outbox
from transactions.notifications.models import Delivery, Endpoint, MessageType

from .conftest import deliver

pytestmark = pytest.mark.django_db(transaction=True)

Call = Callable[..., Any]
URL = "https://example.org/webhooks"


@pytest.fixture
def call(transactional_db: None) -> Call:
    """Calls with both rights: status and what was answered."""
    token, _ = create("ann", rights=frozenset({Right.VIEW_EVENTS, Right.MANAGE_WEBHOOKS}))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    def answered(method: str, path: str, said: Any = None) -> Any:
        answer = getattr(api, method)(f"/api/{path}", said, format="json")
        return answer.status_code, answer.json() if answer.content else None

    return answered


def get(api_path: str, call: Call) -> Any:
    status, found = call("get", api_path)
    assert status == 200, found
    return found


def write(number: int) -> None:
    outbox.write(MessageType.SYSTEM_ALARM, {"number": number})
    numbering.number()


def test_events_are_asked_for_page_by_page(call: Call) -> None:
    for number in range(3):
        write(number)
    first = get("events/?limit=2", call)
    assert [each["data"]["number"] for each in first["results"]] == [0, 1]
    assert (first["after"], first["more"]) == (2, True)
    assert first["results"][0].keys() == {"position", "id", "type", "timestamp", "data"}
    second = get("events/?after=2", call)
    assert ([each["position"] for each in second["results"]], second["more"]) == ([3], False)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("after=-1", {"after": ["Expected an integer, or a string of digits."]}),
        ("after=4", {"after": ["The last event is 3."]}),
        ("limit=0", {"limit": ["Ensure this value is greater than or equal to 1."]}),
        ("from=1", {"from": ["Unknown parameter. Known are: after, limit."]}),
    ],
)
def test_a_place_that_there_is_not_is_refused(call: Call, asked: str, told: Any) -> None:
    for number in range(3):
        write(number)
    assert call("get", f"events/?{asked}") == (400, told)


def test_a_webhook_is_made_and_shows_its_secret_once(call: Call) -> None:
    status, made = call(
        "post", "webhooks/", {"url": URL, "description": "On-call", "types": ["alert.opened"]}
    )
    assert (status, made["secret"][:6], made["made_by"], made["off"]) == (201, "whsec_", "api-ann", None)
    del made["secret"]
    assert get(f"webhooks/{made['id']}/", call) == made
    assert get("webhooks/", call) == {"results": [made], "next": None}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, {"url": ["This field is required."]}),
        ({"url": 7}, {"url": ["This is not a URL, as in https://example.org/webhooks."]}),
        ({"url": "http:"}, {"url": ["This is not a URL, as in https://example.org/webhooks."]}),
        (
            {"url": "https://10.0.0.1/"},
            {"url": ["The address 10.0.0.1 is not public, and not in WEBHOOK_PRIVATE_NETWORKS."]},
        ),
        (
            {"url": f"https://{'.'.join(['a' * 63] * 7)}.{'a' * 40}/", "format": "slack"},
            {"url": ["The name of the host has at most 253 characters, and 1 to 63 between its dots."]},
        ),
        ({"url": URL, "Types": []}, {"Types": ['Unknown field. Did you mean "types"?']}),
        (
            {"url": URL, "types": ["alert.opend"]},
            {
                "types": [
                    "The types are a list of alert.opened, alert.updated, alert.assigned, alert.closed, "
                    "rule.activated, system.alarm, system.recovered; none means all."
                ]
            },
        ),
        (
            {"url": URL, "description": "a\nb"},
            {"description": ["A description is one line of at most 200 characters."]},
        ),
        (
            {"url": URL, "description": "\u2800"},
            {"description": ["A description has a character that is visible, or is empty."]},
        ),
    ],
)
def test_what_is_wrong_with_a_webhook_is_told_by_field(call: Call, said: Any, told: Any) -> None:
    assert call("post", "webhooks/", said) == (400, told)
    assert not Endpoint.objects.exists()


def test_without_a_key_for_secrets_the_reason_is_told(call: Call, settings: Any) -> None:
    settings.WEBHOOK_SECRET_KEYS = []
    assert call("post", "webhooks/", {"url": URL}) == (
        409,
        {"detail": "Webhooks are switched off: WEBHOOK_SECRET_KEYS is not set, and secrets need a key."},
    )


def test_a_webhook_is_changed_rotated_switched_and_removed(call: Call) -> None:
    _, made = call("post", "webhooks/", {"url": URL})
    one = f"webhooks/{made['id']}/"
    status, changed = call("patch", one, {"url": f"{URL}/2", "types": ["alert.closed"]})
    assert (status, changed["url"], changed["types"]) == (200, f"{URL}/2", ["alert.closed"])
    status, rotated = call("post", f"{one}rotate/", {})
    assert (status, rotated["secret"] != made["secret"], rotated["old_secret_until"] is None) == (
        200,
        True,
        False,
    )
    assert call("post", f"{one}off/", {})[1]["off"] == "BY_HAND"
    assert call("post", f"{one}off/", {}) == (409, {"detail": "It is off already."})
    assert call("post", f"{one}test/", {}) == (409, {"detail": "It is off: switch it on first."})
    assert call("post", f"{one}on/", {})[1]["off"] is None
    assert call("post", f"{one}on/", {}) == (409, {"detail": "It is on already."})
    assert call("delete", one) == (200, {"detail": "Removed."})
    for method, path in (("get", one), ("patch", one), ("post", f"{one}test/"), ("delete", one)):
        assert call(method, path, {} if method != "get" else None) == (404, {"detail": "Not found."})


def test_the_log_says_what_became_of_each_message_and_sends_one_again(call: Call, receiver: Receiver) -> None:
    receiver.answer(500, body=b"out of order")
    _, made = call("post", "webhooks/", {"url": receiver.url})
    status, waits = call("post", f"webhooks/{made['id']}/test/", {})
    assert (status, waits["state"], waits["type"], waits["log"]) == (202, "WAITING", "webhook.test", [])
    deliver()
    log = f"webhooks/{made['id']}/deliveries/"
    (shown,) = get(log, call)["results"]
    assert (shown["state"], shown["attempts"], shown["due_at"] is None) == ("WAITING", 1, False)
    (attempt,) = shown["log"]
    assert (attempt["status"], attempt["error"], attempt["answer"]) == (500, "Answered 500.", "out of order")
    receiver.answer(200)
    assert call("post", f"{log}{shown['id']}/send-again/", {})[0] == 202
    deliver()
    assert get(f"{log}?state=DELIVERED", call)["results"][0]["id"] == shown["id"]
    assert get(f"{log}?state=FAILED", call)["results"] == []
    assert call("post", f"{log}{shown['id'] + 1}/send-again/", {}) == (404, {"detail": "Not found."})


def test_a_log_goes_on_where_its_page_ended(call: Call) -> None:
    _, made = call("post", "webhooks/", {"url": URL})
    for number in range(3):
        write(number)
    first = get(f"webhooks/{made['id']}/deliveries/?limit=2", call)
    second = get(first["next"].partition("/api/")[2], call)
    keys = [each["id"] for each in first["results"] + second["results"]]
    assert (keys, second["next"]) == (
        list(Delivery.objects.order_by("-pk").values_list("pk", flat=True)),
        None,
    )
