"""A message in words, as people read it in mails and in channels: no amounts, nothing of a transaction."""

from datetime import datetime
from typing import Any

from .models import Message, MessageType


def title(message: Message) -> str:
    """What happened, in a line."""
    told = message.data
    match message.type:
        case MessageType.ALERT_OPENED:
            return f"{_gravity(message)} alert: {told['rule']['name']}"
        case MessageType.ALERT_UPDATED:
            return f"{_gravity(message)} alert, more of it: {told['rule']['name']}"
        case MessageType.ALERT_ASSIGNED:
            to = told["assignee"] or "nobody"
            return f"{_gravity(message)} alert assigned to {to}: {told['rule']['name']}"
        case MessageType.ALERT_CLOSED:
            return f"{_gravity(message)} alert closed: {told['rule']['name']}"
        case MessageType.RULE_ACTIVATED:
            how = "in shadow" if told["state"] == "SHADOW" else "in force"
            return f"Rule {how}: {told['rule']['name']}, version {told['version']}"
        case MessageType.SYSTEM_ALARM:
            return f"Alarm: {told.get('text', '')}"
        case MessageType.SYSTEM_RECOVERED:
            return f"Alarm over: {told.get('text', '')}"
        case _:
            return str(told.get("text") or message.get_type_display())


def facts(message: Message) -> list[str]:
    """What else there is to say of it, a line each."""
    told = message.data
    match message.type:
        case MessageType.ALERT_OPENED | MessageType.ALERT_ASSIGNED:
            return [f"{whom(told)}, {hits(told)}, due {moment(told['due_at'])}"]
        case MessageType.ALERT_UPDATED:
            with_whom = f"with {told['assignee']}" if told["assignee"] else "with nobody yet"
            return [f"{whom(told)}, {hits(told)}, {with_whom}"]
        case MessageType.ALERT_CLOSED:
            judged = str(told["disposition"] or "no disposition").replace("_", " ").lower()
            by = f" by {told['closed_by']}" if told["closed_by"] else ""
            return [
                f"{whom(told)}, {hits(told)}: {judged}{by}",
                *([told["reason"]] if told["reason"] else []),
            ]
        case MessageType.RULE_ACTIVATED:
            return [str(told["sentence"])]
        case MessageType.SYSTEM_ALARM:
            return [f"Since {moment(told['opened_at'])}"]
        case MessageType.SYSTEM_RECOVERED:
            return [f"From {moment(told['opened_at'])} to {moment(told['recovered_at'])}"]
        case _:
            return []


def whom(told: dict[str, Any]) -> str:
    """Whom an alert is about."""
    return "the whole system" if told["user"] is None else f"user {told['user']}"


def _gravity(message: Message) -> str:
    return message.severity.title()


def hits(told: dict[str, Any]) -> str:
    """How many hits an alert has."""
    return "1 hit" if told["hits"] == 1 else f"{told['hits']:,} hits"


def moment(told: str | None) -> str:
    """A moment of a message as people read it, to the second."""
    return "at no time" if told is None else f"{datetime.fromisoformat(told):%Y-%m-%d %H:%M:%S} UTC"
