"""What was typed into a form that was refused: kept for the page that follows, once."""

from typing import Any

from django.http import HttpRequest

# Where a session keeps it, of the last form that was refused; and how much of each field.
KEY = "alerts_typed"
CHARACTERS_MAX = 4_000
CHOSEN_MAX = 200
FIELDS = ("assignee", "disposition", "reason", "release_reason", "text", "days")


def keep(request: HttpRequest, page: str, step: str, *, chosen: bool = False) -> None:
    """Keeps what the form of a step had, for the page of an alert (its key) or "many".

    `chosen`: the alerts too, where nothing was done with any of them.
    """
    typed = {name: request.POST.get(name, "")[:CHARACTERS_MAX] for name in FIELDS}
    pairs = request.POST.getlist("alert")[:CHOSEN_MAX] if chosen else []
    keys = [pair.partition(":")[0][:20] for pair in pairs]
    request.session[KEY] = {"page": page, "step": step, "chosen": keys, **typed}


def of(request: HttpRequest, page: str) -> dict[str, Any]:
    """What was typed there last and refused, once; {} where there is nothing."""
    typed: dict[str, Any] = request.session.get(KEY, {})
    if typed.get("page") != page:
        return {}
    del request.session[KEY]
    return typed
