"""Noting: one call, by whoever does something that somebody may have to answer for."""

import json
import re
from typing import Any

from django.db import connection
from django.db.models import Model

from .actions import ASK_FOR_REASON, Action
from .actors import actor_now, reason_now
from .models import NAME_MAX, REASON_MAX, Entry

NOT_GIVEN = "not given"
# As `access.tokens` makes them: somebody may have typed one where it does not belong.
_TOKEN = re.compile(r"txmon_[A-Za-z0-9_-]{8,}")


def note(
    action: Action,
    target: object = "",
    *,
    target_id: object = "",
    reason: str = "",
    apart: bool = False,
    **details: Any,
) -> None:
    """Adds an entry to the trail: somebody did `action` to `target`. Raises django.db.Error.

    `target` is a row, whose key is noted with it, or a name. `details` are texts, whole numbers,
    truths, and lists or mappings of them; none of them a secret. Who acts and from where is known (see
    `actors`), and so is the reason, where somebody was asked for it.

    The entry belongs to the transaction that is open and goes with it; it is numbered when that
    commits. With `apart` it stays, whatever becomes of that transaction.
    """
    actor = actor_now()
    reason = reason or reason_now() or (NOT_GIVEN if action in ASK_FOR_REASON else "")
    if isinstance(target, Model):
        target_id = target_id or target.pk
    entry = Entry(
        action=action,
        actor=_text(actor.name),
        actor_id=actor.id,
        via=actor.via,
        token=_text(actor.token),
        address=_text(actor.address),
        request_id=_text(actor.request_id),
        target=_text(target),
        target_id=_text(target_id),
        reason=_text(reason, REASON_MAX),
        details=_json(details),
    )
    if apart and connection.in_atomic_block:
        _save_apart(entry)
    else:
        entry.save(force_insert=True)


def _save_apart(entry: Entry) -> None:
    """By a connection of its own: nothing else is in its transaction."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            columns = [field for field in entry._meta.concrete_fields if not field.primary_key]
            names = ", ".join(str(field.column) for field in columns)
            places = ", ".join("%s" for _ in columns)
            values = [getattr(entry, field.attname) for field in columns]
            cursor.execute(f"INSERT INTO {entry._meta.db_table} ({names}) VALUES ({places})", values)
    finally:
        own.close()


def _text(value: object, most: int = NAME_MAX) -> str:
    """A text as PostgreSQL takes it, of so many characters at most, and without a token in it."""
    text = str(value).encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    text = _TOKEN.sub("txmon_(left out)", text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _json(details: dict[str, Any]) -> str:
    """The one text of an object: names sorted, no spaces, ASCII."""
    text = json.dumps(details, sort_keys=True, separators=(",", ":"), default=str)
    return _TOKEN.sub("txmon_(left out)", text)
