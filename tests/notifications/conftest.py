"""What the tests of being told begin with: keys for secrets, receivers on loopback."""

import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.support.receiving import Receiver as Receiver
from tests.support.receiving import deliver as deliver
from transactions.notifications import endpoints
from transactions.notifications.models import Endpoint


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    """Secrets can be kept, and receivers on loopback be sent to."""
    settings.WEBHOOK_SECRET_KEYS = ["k" * 32]
    settings.WEBHOOK_PRIVATE_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    """Makes receivers, and ends them."""
    made: list[Receiver] = []

    def make() -> Receiver:
        made.append(Receiver())
        return made[-1]

    yield make
    for each in made:
        each.end()


@pytest.fixture
def receiver(receivers: Callable[[], Receiver]) -> Receiver:
    return receivers()


@pytest.fixture
def endpoint(receiver: Receiver, people: list[User]) -> tuple[Endpoint, str]:
    """An endpoint to the receiver, and its secret."""
    return endpoints.add(receiver.url, by=people[0])


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until something holds, for half a minute."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
