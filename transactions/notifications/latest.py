"""How alerts stand by now, as the messages that came later tell."""

from collections.abc import Sequence

from .models import Message

CLOSED = "CLOSED"


def still_news(opened: Sequence[Message]) -> list[Message]:
    """Of messages about alerts that were opened those whose alert is not closed by now, in the same order."""
    if not opened:
        return []
    later = Message.objects.filter(
        pk__gt=min(each.pk for each in opened), alert__in=[each.alert for each in opened]
    )
    states = dict(later.order_by("pk").values_list("alert", "data__state"))
    return [each for each in opened if states.get(each.alert) != CLOSED]
