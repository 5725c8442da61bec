"""Slack and Teams as receivers: they judge what they get by the shape that they document."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.support.rules import rule_in_force
from transactions.alerts import triage
from transactions.alerts.grouping import Raised, group
from transactions.alerts.models import Alert
from transactions.notifications import alarms, endpoints, formats, numbering, signing
from transactions.notifications.models import (
    Attempt,
    Delivery,
    Endpoint,
    Format,
    Message,
    MessageType,
    SystemAlarm,
)
from transactions.stores.postgres_session import Session

from .conftest import Receiver, deliver

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = "<!channel> & [win](https://evil.example) *x* <https://evil.example|y>"


def judged(fault: str, well: tuple[int, bytes]) -> tuple[int, dict[str, str], bytes]:
    return (400, {}, fault.encode()) if fault else (well[0], {}, well[1])


def fault_for_slack(said: Any) -> str:
    """What Slack's incoming webhooks would answer; "" where they take it."""
    if not isinstance(said.get("text"), str) or not said["text"]:
        return "no_text"
    if set(said) != {"text", "blocks"} or len(said["blocks"]) > 50:
        return "invalid_payload"
    for block in said["blocks"]:
        texts = [block["text"]] if block["type"] == "section" else block["elements"]
        for text in texts:
            if text["type"] not in ("plain_text", "mrkdwn") or not 0 < len(text["text"]) <= 3_000:
                return "invalid_blocks"
            if "emoji" in text and text["type"] != "plain_text":
                return "invalid_blocks"
    return ""


def fault_for_teams(said: Any, size: int) -> str:
    """The same of a workflow that posts what it is sent: an Adaptive Card among the attachments."""
    if said.get("type") != "message" or size > 28_000:
        return "InvalidMessage"
    (attachment,) = said["attachments"]
    card = attachment["content"]
    if attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
        return "InvalidContentType"
    if (card["type"], card["version"]) != ("AdaptiveCard", "1.4"):
        return "InvalidCard"
    runs = [run for block in card["body"] for run in block["inlines"] if block["type"] == "RichTextBlock"]
    if not all(run["type"] == "TextRun" and run["text"] for run in runs):
        return "InvalidCard"
    if not all(act["type"] == "Action.OpenUrl" and act["url"] for act in card["actions"]):
        return "InvalidCard"
    return ""


def as_slack(receiver: Receiver) -> None:
    receiver.answers = lambda number: judged(fault_for_slack(posted(receiver)), (200, b"ok"))


def as_teams(receiver: Receiver) -> None:
    receiver.answers = lambda number: judged(
        fault_for_teams(posted(receiver), len(receiver.got[-1].body)), (202, b"")
    )


WELL = {"slack": (200, "ok"), "teams": (202, "")}
CHANNELS: dict[str, Callable[[Receiver], None]] = {"slack": as_slack, "teams": as_teams}


def posted(receiver: Receiver) -> Any:
    return json.loads(receiver.got[-1].body)


def write_each_type(person: User) -> None:
    """A message of each type, as the rooms write them; name and reason would like to be markup."""
    by = User.objects.create_superuser("ann")
    rule_in_force("failure_burst", name=HOSTILE, count=3, window="10m")
    with Session() as session, session.transaction() as cursor:
        group(cursor, [Raised(1, HOSTILE, "HIGH", person.pk, 1_200), Raised(2, HOSTILE, "LOW", None, 1)])
    numbering.number()
    alert = Alert.objects.get(user=person.pk)
    triage.claim(alert.pk, by, 1)
    numbering.number()
    triage.assign(alert.pk, by, 2, User.objects.create_superuser("bea"))
    numbering.number()
    triage.close(alert.pk, by, 3, "FALSE_POSITIVE", HOSTILE + "y" * 900)
    alarms.note({"queue": HOSTILE + "x" * 600})
    SystemAlarm.objects.update(seen_at=datetime.now(UTC) - alarms.OVER_AFTER * 2)
    alarms.note({})


@pytest.mark.parametrize("format", CHANNELS)
def test_a_channel_takes_a_message_of_every_type(
    format: str, receiver: Receiver, people: list[User], settings: Any
) -> None:
    settings.FOUR_EYES = False
    CHANNELS[format](receiver)
    made, secret = endpoints.add(receiver.url, format=format)
    write_each_type(people[0])
    endpoints.test(made.pk)
    deliver()
    answers = Attempt.objects.values_list("status", "answer", "delivery__message__type")
    assert {(status, answer) for status, answer, _ in answers} == {WELL[format]}
    assert {type for _, _, type in answers} == set(MessageType.values)
    assert secret == ""
    assert not any("webhook-signature" in got.headers for got in receiver.got)


def told(format: Format, type: MessageType, severity: str, **data: Any) -> Any:
    message = Message(type=type, severity=severity, data=data)
    return json.loads(formats.body(format, message))


ALERT = {
    "rule": {"id": 1, "name": HOSTILE},
    "user": 7,
    "hits": 1_200,
    "due_at": "2026-01-31T12:00:00+00:00",
    "link": "https://example.org/admin/alerts/alert/7/change/?a=1&b=2",
}


def test_slack_is_told_in_words_that_it_takes_for_text_with_a_link_to_the_page() -> None:
    said = told(Format.SLACK, MessageType.ALERT_OPENED, "HIGH", **ALERT)
    name = "&lt;!channel&gt; &amp; [win](https://evil.example) *x* &lt;https://evil.example|y&gt;"
    plain = {"type": "plain_text", "emoji": False}
    assert said == {
        "text": f"High alert: {name}",
        "blocks": [
            {"type": "section", "text": {**plain, "text": f"High alert: {name}"}},
            {"type": "section", "text": {**plain, "text": "user 7, 1,200 hits, due 2026-01-31 12:00:00 UTC"}},
            {
                "type": "context",
                "elements": [
                    {
                        "type": "mrkdwn",
                        "text": "<https://example.org/admin/alerts/alert/7/change/?a=1&amp;b=2|Open it>",
                    }
                ],
            },
        ],
    }


def test_teams_is_told_by_a_card_that_reads_no_markdown_with_a_link_to_the_page() -> None:
    closed = {**ALERT, "disposition": "FALSE_POSITIVE", "closed_by": "ann", "reason": f"one\n{HOSTILE}"}
    said = told(Format.TEAMS, MessageType.ALERT_CLOSED, "LOW", **closed)
    card = said["attachments"][0]["content"]
    assert [block["inlines"][0]["text"] for block in card["body"]] == [
        f"Low alert closed: {HOSTILE}",
        "user 7, 1,200 hits: false positive by ann",
        "one",
        HOSTILE,
    ]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open it", "url": ALERT["link"]}]


def test_what_is_long_is_cut() -> None:
    facts = {"text": "x" * 500, "opened_at": "2026-01-31T12:00:00Z", "link": "https://example.org/"}
    said = told(Format.SLACK, MessageType.SYSTEM_ALARM, "", **facts)
    assert (len(said["text"]), said["text"][-1]) == (300, "…")


URL = "https://hooks.example.org/services/T0123/B4567/the-secret-of-a-channel-Kx3d"


def test_the_url_of_a_channel_is_kept_encrypted_and_shown_cut(db: None) -> None:
    made, _ = endpoints.add(URL, format="slack")
    assert made.url == "https://hooks.example.org/…Kx3d"
    assert "the-secret" not in str(Endpoint.objects.values().get())
    assert signing.decrypt(made.secret) == URL
    changed = endpoints.change(made.pk, url="https://hooks.example.org/short")
    assert changed.url == "https://hooks.example.org/…"
    assert signing.decrypt(changed.secret) == "https://hooks.example.org/short"


@pytest.mark.parametrize(
    "url", [f"https://example.org:{'443'.zfill(479)}/", f"https://[2606:2800::1%25{'a' * 474}]/"]
)
def test_the_cut_url_of_a_channel_fits_whatever_the_url(url: str, db: None) -> None:
    made, _ = endpoints.add(url, format="slack")
    assert made.url == f"{url[:498]}/…"
    assert endpoints.change(made.pk, url=url).url == made.url


def test_the_secret_of_a_channel_is_not_rotated_here(db: None) -> None:
    made, _ = endpoints.add(URL, format="teams")
    with pytest.raises(endpoints.EndpointRefused, match="Its URL is its secret"):
        endpoints.rotate(made.pk)


def test_a_channel_whose_key_is_lost_fails_with_the_reason_until_its_url_is_given_again(
    receiver: Receiver, settings: Any, db: None
) -> None:
    made, _ = endpoints.add(receiver.url, format="slack")
    settings.WEBHOOK_SECRET_KEYS = ["n" * 32]
    endpoints.test(made.pk)
    deliver()
    assert Attempt.objects.get().error == (
        "WEBHOOK_SECRET_KEYS cannot read the URL: bring its key back, or give the URL again."
    )
    endpoints.change(made.pk, url=receiver.url)
    endpoints.send_again(made.pk, Delivery.objects.get().pk)
    deliver()
    assert len(receiver.got) == 1


def test_a_channel_that_refuses_is_a_failure_with_what_it_said(receiver: Receiver, db: None) -> None:
    receiver.answer(404, body=b"no_service")
    made, _ = endpoints.add(receiver.url, format="slack")
    endpoints.test(made.pk)
    deliver()
    assert Attempt.objects.values_list("status", "answer").get() == (404, "no_service")


@pytest.mark.parametrize("format", ["Slack", "", None, []])
def test_a_format_that_there_is_not_is_refused(format: Any, db: None) -> None:
    with pytest.raises(ValueError, match="The format is one of standard, slack, teams"):
        endpoints.add(URL, format=format)


@pytest.mark.parametrize(
    "reason", ["\n" * 1000, "a\n" * 500, "\u2028a" * 500, "&" * 1000, "<" * 1000, "𝄞" * 1000]
)
def test_a_channel_takes_whatever_a_reason_is_made_of(reason: str) -> None:
    closed = {**ALERT, "hits": 3, "disposition": "EXPECTED", "closed_by": "ann", "reason": reason}
    message = Message(type=MessageType.ALERT_CLOSED, severity="HIGH", data=closed)
    assert fault_for_slack(json.loads(formats.body(Format.SLACK, message))) == ""
    body = formats.body(Format.TEAMS, message)
    assert fault_for_teams(json.loads(body), len(body)) == ""
    assert len(body) < 20_000


def test_what_is_cut_for_slack_ends_with_a_sign_of_it_and_within_no_escape() -> None:
    closed = {**ALERT, "hits": 3, "disposition": "EXPECTED", "closed_by": "ann", "reason": "&" * 1000}
    text = told(Format.SLACK, MessageType.ALERT_CLOSED, "HIGH", **closed)["blocks"][1]["text"]["text"]
    assert text.endswith("&amp;…")
