"""Secrets of webhooks: kept encrypted, rotated, and told of where their key is lost."""

from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from tests.support.receiving import Receiver
from transactions.notifications import endpoints, signing
from transactions.notifications.models import Attempt, Endpoint

from .conftest import deliver
from .deliveries import Made, due_now, numbers, write

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_rotated_secret_and_the_one_before_both_verify_until_its_end(
    receiver: Receiver, endpoint: Made
) -> None:
    made, old = endpoint
    _, new = endpoints.rotate(made.pk)
    write()
    deliver()
    assert receiver.got[0].verified(old) == receiver.got[0].verified(new)
    Endpoint.objects.update(old_secret_until=datetime.now(UTC))
    write()
    deliver()
    assert receiver.got[1].verified(new)
    with pytest.raises(WebhookVerificationError):
        receiver.got[1].verified(old)


def test_a_secret_cannot_be_read_from_the_database_alone(endpoint: Made) -> None:
    made, secret = endpoint
    assert secret.startswith("whsec_")
    assert secret not in str(Endpoint.objects.values().get())
    assert signing.decrypt(made.secret) == secret


def test_a_key_is_changed_by_putting_another_before_it(endpoint: Made, settings: Any) -> None:
    made, secret = endpoint
    settings.WEBHOOK_SECRET_KEYS = ["n" * 32, "k" * 32]
    assert signing.decrypt(made.secret) == secret
    settings.WEBHOOK_SECRET_KEYS = ["n" * 32]
    with pytest.raises(signing.KeyLost):
        signing.decrypt(made.secret)


def test_an_endpoint_whose_key_is_lost_fails_with_the_reason_until_it_is_rotated(
    receiver: Receiver, endpoint: Made, settings: Any
) -> None:
    settings.WEBHOOK_SECRET_KEYS = ["n" * 32]
    write()
    deliver()
    assert Attempt.objects.get().error == (
        "WEBHOOK_SECRET_KEYS cannot read the secret: bring its key back, or rotate it."
    )
    _, secret = endpoints.rotate(endpoint[0].pk)
    due_now()
    deliver()
    assert numbers(receiver, secret) == [1]


def test_without_a_key_no_endpoint_is_made(receiver: Receiver, settings: Any, db: None) -> None:
    settings.WEBHOOK_SECRET_KEYS = []
    with pytest.raises(signing.NoKey, match="WEBHOOK_SECRET_KEYS is not set"):
        endpoints.add(receiver.url)


def test_a_secret_that_was_never_encrypted_is_told_as_one_that_cannot_be_read(
    receiver: Receiver, endpoint: Made
) -> None:
    Endpoint.objects.update(secret="é" * 10)
    write()
    deliver()
    assert Attempt.objects.get().error.startswith("WEBHOOK_SECRET_KEYS cannot read the secret")


def test_what_waited_for_a_lost_key_is_sent_once_there_is_another_secret(
    receiver: Receiver, endpoint: Made, settings: Any
) -> None:
    settings.WEBHOOK_SECRET_KEYS = ["another" * 8]
    write()
    deliver()
    assert receiver.got == []
    _, secret = endpoints.rotate(endpoint[0].pk)
    deliver()
    assert numbers(receiver, secret) == [1]
