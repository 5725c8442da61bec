"""How a message looks to each kind of receiver: Standard Webhooks, a channel of Slack, one of Teams.

For channels it is put into words. Names and reasons come from people, and are shown as text: they go where
neither of the two reads any markup, and what Slack takes for its own signs (& < >) is escaped.
"""

import json
from typing import Any

from . import events, wording
from .models import Format, Message

# Characters. Slack takes 3,000 in a text of a block; of Teams a whole message may have 28 kB.
TITLE_CHARACTERS_MAX, TEXT_CHARACTERS_MAX = 300, 1_500
OPEN = "Open it"
CARD = "application/vnd.microsoft.card.adaptive"


def body(format: str, message: Message) -> bytes:
    """What is posted."""
    said = {Format.STANDARD: events.body, Format.SLACK: _slack, Format.TEAMS: _teams}[Format(format)](message)
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _slack(message: Message) -> dict[str, Any]:
    """A message of an incoming webhook: blocks, and a text for what cannot show them."""
    title, text, link = _words(message)
    shown = [_section(_escaped(each)) for each in (title, text) if each]
    opens = {"type": "mrkdwn", "text": f"<{_escaped(link)}|{OPEN}>"}
    return {"text": _escaped(title), "blocks": [*shown, {"type": "context", "elements": [opens]}]}


def _section(text: str) -> dict[str, Any]:
    # Plain text: *, _, ~ and `, names of channels and :smileys: are what they are.
    return {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(message: Message) -> dict[str, Any]:
    """A message for a workflow that posts the cards it is sent.

    A TextBlock reads Markdown, so that a name could be a link; the runs of a RichTextBlock do not.
    """
    title, text, link = _words(message)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": title,
        "body": [
            _runs({"text": title, "weight": "Bolder"}),
            *([_runs({"text": line}) for line in text.splitlines()]),
        ],
        "actions": [{"type": "Action.OpenUrl", "title": OPEN, "url": link}],
    }
    attachment = {"contentType": CARD, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _runs(run: dict[str, str]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run}]}


def _words(message: Message) -> tuple[str, str, str]:
    """Title, text and link, of bounded length."""
    title = _cut(" ".join(wording.title(message).split()), TITLE_CHARACTERS_MAX)
    text = _cut("\n".join(wording.facts(message)), TEXT_CHARACTERS_MAX)
    return title, text, str(message.data["link"])


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
