"""Notes on customers: written by who may, and marked as reviewed by somebody who has looked into them."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from ..audit.actions import Action
from ..audit.entries import note
from ..encodings import checked_words
from ..models import CustomerNote

SHOWN_MAX = 100


def latest(customer: int) -> list[CustomerNote]:
    """The notes on the customer of that key, the newest first, SHOWN_MAX of them at most."""
    return list(CustomerNote.objects.filter(customer=customer).order_by("-id")[:SHOWN_MAX])


def write(customer: User, text: str, by: User) -> CustomerNote:
    """Adds a note; that it was written is in the audit trail, not what it says.

    Raises ValueError where the text is none that everybody reads alike, or too long.
    """
    text = checked_words(text, "A note", CustomerNote.TEXT_CHARACTERS_MAX)
    with transaction.atomic():
        made = CustomerNote.objects.create(customer=customer.pk, text=text, by=by, by_name=by.get_username())
        note(Action.NOTE_WRITTEN, customer.get_username(), target_id=customer.pk, note=made.pk)
    return made


def mark_reviewed(customer: User, key: int, by: User) -> CustomerNote:
    """Marks a note on that customer as reviewed; the first who does so stays.

    Raises CustomerNote.DoesNotExist where there is none of that key.
    """
    with transaction.atomic():
        found = CustomerNote.objects.select_for_update().get(pk=key, customer=customer.pk)
        if found.reviewed_at is None:
            found.reviewed_at, found.reviewed_by = timezone.now(), by
            found.reviewed_by_name = by.get_username()
            found.save(update_fields=["reviewed_at", "reviewed_by", "reviewed_by_name"])
            note(Action.NOTE_REVIEWED, customer.get_username(), target_id=customer.pk, note=found.pk)
    return found
