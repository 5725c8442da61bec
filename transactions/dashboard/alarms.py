"""The system's own alarms on the dashboard: those that are not over, since when, and where to look."""

from datetime import datetime
from typing import NamedTuple

from django.urls import reverse

from ..access.rights import Right, Rights
from ..notifications.alarms import OF_ENDPOINT
from ..notifications.models import SystemAlarm
from ..system import conditions

SHOWN_MAX = 20
# The rights of which one lets somebody see some of them.
SEEN_WITH = (Right.VIEW_EVENTS, Right.MANAGE_WEBHOOKS)


class ShownAlarm(NamedTuple):
    """What is wrong, since when, and the page on which something can be done; "" where there is none.

    `key` tells it from the others. `is_over`: it is not so any more, and who was told will hear that soon.
    """

    key: str
    text: str
    since: datetime
    link: str
    is_over: bool


def seen_with(rights: Rights) -> list[ShownAlarm] | None:
    """Those that are not over, the newest first; None for who may see none.

    Who may see events sees all, who manages webhooks those of webhooks. Raises django.db.Error.
    """
    manages = Right.MANAGE_WEBHOOKS in rights
    found = SystemAlarm.objects.filter(recovered_at=None).order_by("-opened_at", "-pk")
    if Right.VIEW_EVENTS not in rights:
        if not manages:
            return None
        found = found.filter(key__startswith=OF_ENDPOINT)
    shown = list(found[:SHOWN_MAX])
    over = conditions.over_by_now([each.key for each in shown])
    return [
        ShownAlarm(each.key, each.text, each.opened_at, _page(each.key) if manages else "", each.key in over)
        for each in shown
    ]


def _page(key: str) -> str:
    if not key.startswith(OF_ENDPOINT):
        return ""
    return reverse("admin:notifications_endpoint_change", args=[key.removeprefix(OF_ENDPOINT)])
