"""Webhooks' endpoints: made, changed, switched on and off; their secrets shown once, and rotated."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from ..audit.actions import Action
from ..audit.entries import note
from ..encodings import shows_nothing
from . import destinations, outbox, removing, signing
from .models import (
    TYPES,
    URL_CHARACTERS_MAX,
    Delivery,
    DeliveryState,
    Endpoint,
    Format,
    Message,
    MessageType,
)

# For so long after a rotation messages are signed with both secrets.
BOTH_FOR = timedelta(hours=24)
ENDPOINTS_MAX = 10_000
DESCRIPTION_CHARACTERS_MAX = 200
# Of a URL that is a secret so many characters are shown, by which one is told from another, if it is long.
END_SHOWN, LONG_ENOUGH = 4, 32


class EndpointRefused(Exception):
    """The endpoint cannot do that as it is; says why."""


def checked_url(url: Any) -> str:
    """Raises ValueError with a sentence."""
    if not isinstance(url, str):
        raise ValueError(destinations.NO_URL)
    try:
        destinations.read(url)
    except destinations.Forbidden as error:
        raise ValueError(str(error)) from None
    return url


def checked_types(types: Any) -> list[str]:
    """Raises ValueError with a sentence."""
    if not isinstance(types, list) or any(each not in TYPES for each in types):
        raise ValueError(f"The types are a list of {', '.join(TYPES)}; none means all.")
    return list(dict.fromkeys(types))


def checked_text(text: Any) -> str:
    """A description. Raises ValueError with a sentence."""
    if not isinstance(text, str) or not (text.isprintable() and len(text) <= DESCRIPTION_CHARACTERS_MAX):
        raise ValueError(f"A description is one line of at most {DESCRIPTION_CHARACTERS_MAX} characters.")
    if shows_nothing(text):
        raise ValueError("A description has a character that is visible, or is empty.")
    return text.strip()


def checked_format(format: Any) -> str:
    """Raises ValueError with a sentence."""
    if format not in Format.values:
        raise ValueError(f"The format is one of {', '.join(Format.values)}.")
    return str(format)


def add(
    url: str,
    *,
    description: str = "",
    types: Sequence[str] = (),
    format: str = Format.STANDARD.value,
    by: Any = None,
) -> tuple[Endpoint, str]:
    """An endpoint, and the secret by which its messages are signed, shown this once; "" where none are.

    Raises ValueError, NoKey, EndpointRefused.
    """
    format, url = checked_format(format), checked_url(url)
    secret = signing.new_secret() if format == Format.STANDARD else ""
    fields = {
        "format": format,
        "url": url if secret else masked(url),
        "description": checked_text(description),
        "types": checked_types(list(types)),
        "secret": signing.encrypt(secret or url),
    }
    if Endpoint.objects.count() >= ENDPOINTS_MAX:
        raise EndpointRefused(f"There are {ENDPOINTS_MAX:,} endpoints: remove one first.")
    with transaction.atomic():
        made = Endpoint.objects.create(**fields, made_by=by)
    made.refresh_from_db()
    return made, secret


def masked(url: str) -> str:
    """As much of a URL that is a secret as may be shown: the host, and the end of what is long enough.

    It is no longer than a URL may be, whatever stands there: a zone, or a port that begins with zeros.
    """
    parts = urlsplit(url)
    end = url[-END_SHOWN:] if len(parts.path) + len(parts.query) >= LONG_ENOUGH else ""
    shown_end = f"/…{end}"
    return f"{parts.scheme}://{parts.netloc}"[: URL_CHARACTERS_MAX - len(shown_end)] + shown_end


def change(endpoint: int, **fields: Any) -> Endpoint:
    """Gives it another url, description or types, each checked already.

    What waits goes to another URL at once. Raises Endpoint.DoesNotExist, NoKey.
    """
    with transaction.atomic():
        held = Endpoint.objects.select_for_update().get(pk=endpoint)
        # The page gives the URL that there is along with the rest; of a channel only another one.
        is_moved = "url" in fields and not (held.is_signed and fields["url"] == held.url)
        if "url" in fields and not held.is_signed:
            fields["secret"] = signing.encrypt(fields["url"])
            fields["url"] = masked(fields["url"])
        for name, value in fields.items():
            setattr(held, name, value)
        anew = _begin_anew(held) if is_moved else []
        held.save(update_fields=[*fields, *anew])
        if is_moved:
            _send_now(held)
    return held


def rotate(endpoint: int) -> tuple[Endpoint, str]:
    """Gives another secret, shown this once; the one before signs too for BOTH_FOR.

    Raises NoKey, EndpointRefused.
    """
    secret = signing.new_secret()
    kept = signing.encrypt(secret)
    with transaction.atomic():
        held = Endpoint.objects.select_for_update().get(pk=endpoint)
        if not held.is_signed:
            raise EndpointRefused("Its URL is its secret: have another one made there, and give it that.")
        held.old_secret, held.old_secret_until = held.secret, timezone.now() + BOTH_FOR
        try:
            signing.decrypt(held.secret)
        except signing.KeyLost:
            held.old_secret, held.old_secret_until = "", None
            _send_now(held)
        held.secret = kept
        held.save(update_fields=["secret", "old_secret", "old_secret_until", *_begin_anew(held)])
    return held, secret


def switch_off(endpoint: int) -> Endpoint:
    """Nothing is sent there, and what happens meanwhile is not kept for it. Raises EndpointRefused."""
    with transaction.atomic():
        held = Endpoint.objects.select_for_update().get(pk=endpoint)
        if held.off:
            raise EndpointRefused("It is off already.")
        held.off, held.off_at = Endpoint.Off.BY_HAND, timezone.now()
        held.save(update_fields=["off", "off_at"])
    return held


def switch_on(endpoint: int) -> Endpoint:
    """From now on it is sent messages again, at once those that still wait. Raises EndpointRefused."""
    with transaction.atomic():
        held = Endpoint.objects.select_for_update().get(pk=endpoint)
        if not held.off:
            raise EndpointRefused("It is on already.")
        held.off, held.off_at = "", None
        held.save(update_fields=["off", "off_at", *_begin_anew(held)])
        _send_now(held)
    return held


def remove(endpoint: int) -> Endpoint:
    """Removes it with its log, also while something is sent to it. Raises Endpoint.DoesNotExist.

    The log goes in short transactions, at the first of which nothing is sent there any more.
    """
    with transaction.atomic():
        if not Endpoint.objects.select_for_update().get(pk=endpoint).off:
            Endpoint.objects.filter(pk=endpoint).update(off=Endpoint.Off.BY_HAND, off_at=timezone.now())
    removing.of_endpoint(endpoint)
    with transaction.atomic():
        held = Endpoint.objects.select_for_update().get(pk=endpoint)
        # What was written while it was switched off.
        removing.of_endpoint(endpoint)
        Endpoint.objects.filter(pk=held.pk).delete()
    return held


def test(endpoint: int) -> Delivery:
    """Sends a test message to it alone. Raises EndpointRefused."""
    with transaction.atomic():
        held = _on(endpoint)
        message = Message.objects.create(
            type=MessageType.WEBHOOK_TEST,
            data={"text": "A test message.", "link": outbox.link("/admin/")},
            is_private=True,
        )
        delivery = Delivery.objects.create(endpoint=held, message=message, by_hand=True)
        # Last: whoever commits an entry of the trail waits for nobody's row.
        note(Action.WEBHOOK_TESTED, held.called, target_id=held.pk, message=message.webhook_id)
        return delivery


def send_again(endpoint: int, delivery: int) -> Delivery:
    """Sends a message once more, at once and by the whole schedule, with the id that it has.

    Raises EndpointRefused, Delivery.DoesNotExist.
    """
    with transaction.atomic():
        held = _on(endpoint)
        again = Delivery.objects.select_for_update().get(pk=delivery, endpoint=held)
        again.state, again.attempts, again.by_hand = DeliveryState.WAITING, 0, True
        again.due_at = timezone.now()
        again.save(update_fields=["state", "attempts", "by_hand", "due_at"])
        sent = again.message.webhook_id
        note(Action.WEBHOOK_SENT_AGAIN, held.called, target_id=held.pk, message=sent)
    return again


def _begin_anew(endpoint: Endpoint) -> list[str]:
    """It has not failed yet, and has asked for no pause; the fields that are to be saved."""
    endpoint.failing_since, endpoint.failures, endpoint.not_before = None, 0, None
    return ["failing_since", "failures", "not_before"]


def _send_now(endpoint: Endpoint) -> None:
    """What waits for its next attempt does not any more: what it failed by is mended.

    What is due already may be on its way: that is left as it is, so that what comes of it is noted.
    """
    waiting = Delivery.objects.filter(endpoint=endpoint, state=DeliveryState.WAITING)
    waiting.filter(due_at__gt=Now()).update(due_at=Now())


def _on(endpoint: int) -> Endpoint:
    """An endpoint that is on, held: nobody switches it off, or removes it, meanwhile.

    What somebody asks for does not wait until the pause is over for which its receiver asked. Raises
    EndpointRefused, Endpoint.DoesNotExist.
    """
    held = Endpoint.objects.select_for_update().get(pk=endpoint)
    if held.off:
        raise EndpointRefused("It is off: switch it on first.")
    Endpoint.objects.filter(pk=endpoint).update(not_before=None)
    return held
