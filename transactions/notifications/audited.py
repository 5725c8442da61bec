"""Webhooks and who is told by mail, as they are noted in the audit trail.

What is sent by hand is noted by `endpoints`, and what a worker switches off by `delivery`.
"""

from ..audit.actions import Action
from ..audit.changes import Followed, follow
from .models import Endpoint, Recipient

# A URL may hold a secret, by which its receiver knows us.
ENDPOINTS = Followed(
    Action.WEBHOOK_MADE,
    Action.WEBHOOK_CHANGED,
    Action.WEBHOOK_DELETED,
    fields=("format", "description", "types", "off"),
    secret=("url", "secret"),
    named=lambda endpoint: str(endpoint.called),
)
RECIPIENTS = Followed(
    Action.RECIPIENT_MADE,
    Action.RECIPIENT_CHANGED,
    Action.RECIPIENT_DELETED,
    fields=("least", "system"),
    secret=("address",),
    named=lambda recipient: f"recipient {recipient.pk}",
)


def connect_signals() -> None:
    """From now on webhooks and recipients made, changed or removed are noted; for the application's start."""
    follow(Endpoint, ENDPOINTS)
    follow(Recipient, RECIPIENTS)
