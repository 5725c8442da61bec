"""Webhooks and who is told by mail, as they are noted in the audit trail.

What is sent by hand is noted by `endpoints`, and what a worker switches off by `delivery`.
"""

from urllib.parse import urlsplit

from ..audit.actions import Action
from ..audit.changes import Followed, ToldPart, follow
from .models import Endpoint, Recipient


def host_of(url: str) -> str:
    """Where a webhook sends: the host, and the port where it is not the usual one."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else f"{parts.hostname}"
        return host if parts.port is None else f"{host}:{parts.port}"
    except ValueError:
        # A channel's URL is kept cut, of a very long host amid it.
        return url.partition("://")[2].partition("/")[0]


# The path and the query of a URL may hold a secret, by which its receiver knows us; the host is told.
ENDPOINTS = Followed(
    Action.WEBHOOK_MADE,
    Action.WEBHOOK_CHANGED,
    Action.WEBHOOK_DELETED,
    fields=("format", "description", "types", "off"),
    secret=("url", "secret"),
    parts=(ToldPart("host", "url", host_of),),
    named=lambda endpoint: str(endpoint.called),
)
RECIPIENTS = Followed(
    Action.RECIPIENT_MADE,
    Action.RECIPIENT_CHANGED,
    Action.RECIPIENT_DELETED,
    fields=("least", "system"),
    secret=("address",),
    named=str,
)


def connect_signals() -> None:
    """From now on webhooks and recipients made, changed or removed are noted; for the application's start."""
    follow(Endpoint, ENDPOINTS)
    follow(Recipient, RECIPIENTS)
