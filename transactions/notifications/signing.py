"""Secrets of webhooks, and signatures by the Standard Webhooks specification (standardwebhooks.com).

A secret is 24 random bytes, shown once as `whsec_` and their base64, and kept encrypted: whoever has a copy
of the database, and not the environment's WEBHOOK_SECRET_KEYS, can sign nothing. In the same way the URLs of
channels are kept, by which whoever has one may post there.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

PREFIX = "whsec_"
SECRET_BYTES = 24


class NoKey(Exception):
    """WEBHOOK_SECRET_KEYS is not set: a webhook's secret could not be kept."""

    def __init__(self) -> None:
        super().__init__("Webhooks are switched off: WEBHOOK_SECRET_KEYS is not set, and secrets need a key.")


class KeyLost(Exception):
    """The secret cannot be read with WEBHOOK_SECRET_KEYS: its key is not among them any more."""

    def __init__(self) -> None:
        super().__init__("WEBHOOK_SECRET_KEYS cannot read the secret: bring its key back, or rotate it.")


def new_secret() -> str:
    """A secret as receivers keep it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def encrypt(secret: str) -> str:
    """The secret as we keep it. Raises NoKey."""
    return _keys().encrypt(secret.encode()).decode()


def decrypt(kept: str) -> str:
    """The secret. Raises NoKey, KeyLost."""
    try:
        return _keys().decrypt(kept.encode()).decode()
    except InvalidToken:
        raise KeyLost from None


def signatures(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> str:
    """`webhook-signature`: one for each secret. `timestamp` is in seconds since 1970."""
    signed = b".".join((id.encode(), str(timestamp).encode(), body))
    return " ".join(_signature(base64.b64decode(each.removeprefix(PREFIX)), signed) for each in secrets)


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _keys() -> MultiFernet:
    if not settings.WEBHOOK_SECRET_KEYS:
        raise NoKey
    # Fernet wants 32 bytes; the settings are texts of any form with as much chance in them.
    digests = (hashlib.sha256(key.encode()).digest() for key in settings.WEBHOOK_SECRET_KEYS)
    return MultiFernet(Fernet(base64.urlsafe_b64encode(digest)) for digest in digests)
