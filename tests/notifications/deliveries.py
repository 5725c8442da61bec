"""Messages that tests have delivered: written, and what became of them."""

from datetime import UTC, datetime

from tests.support.receiving import Receiver
from transactions.notifications import outbox
from transactions.notifications.models import Delivery, Endpoint, MessageType

# A webhook and its secret.
Made = tuple[Endpoint, str]


def write(number: int = 1) -> None:
    """A message that goes to every webhook."""
    outbox.write(MessageType.SYSTEM_ALARM, {"number": number})


def numbers(receiver: Receiver, secret: str) -> list[int]:
    """What a receiver got, each verified."""
    return [each.verified(secret)["data"]["number"] for each in receiver.got]


def due_now() -> None:
    """What failed is to be tried again at once."""
    Delivery.objects.update(due_at=datetime.now(UTC))


def states() -> list[tuple[str, int]]:
    """What became of each delivery, and after how many attempts."""
    return list(Delivery.objects.order_by("id").values_list("state", "attempts"))
