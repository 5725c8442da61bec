"""How alerts stand by now, as the messages that came later tell."""

from collections.abc import Sequence

from .models import Message

CLOSED = "CLOSED"


def still_news(opened: Sequence[Message]) -> list[Message]:
    """Of messages about alerts that were opened, in the same order, those that are news still: whose alert
    is not closed by now, nor graver, which is told by a message of its own.
    """
    if not opened:
        return []
    later = Message.objects.filter(
        pk__gt=min(each.pk for each in opened), alert__in=[each.alert for each in opened]
    )
    rows = later.order_by("pk").values_list("alert", "data__state", "data__severity")
    by_now = {alert: (state, severity) for alert, state, severity in rows}
    found = []
    for each in opened:
        state, severity = by_now.get(each.alert, ("", each.severity))
        if state != CLOSED and severity == each.severity:
            found.append(each)
    return found
