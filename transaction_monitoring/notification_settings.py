"""What is wrong with the settings of being told, said without their secrets."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import environ

KEY_CHARACTERS_MIN = 32
# Django's waits for ever for a server that drips.
SMTP_BACKEND = "transactions.notifications.mail_server.InTimeBackend"


class Fault(Exception):
    """A setting makes no sense; names it, and says what would be right."""


def site_url(hosts: Sequence[str]) -> str:
    """How the service is called, by the first of its names that means one host to others too."""
    names = (host for host in hosts if "." in host.strip(".") and not host.startswith((".", "*", "127.")))
    return f"https://{next(names, 'localhost')}"


def secret_keys(given: Sequence[str]) -> list[str]:
    """The keys. Raises Fault."""
    keys = [key.strip() for key in given if key.strip()]
    if any(len(key) < KEY_CHARACTERS_MIN for key in keys):
        raise Fault(
            f"WEBHOOK_SECRET_KEYS must be long random values ({KEY_CHARACTERS_MIN} characters or more each), "
            "separated by commas"
        )
    return keys


def networks(given: Sequence[str]) -> list[IPv4Network | IPv6Network]:
    """The networks. Raises Fault."""
    try:
        return [ip_network(each.strip()) for each in given if each.strip()]
    except ValueError as error:
        raise Fault(
            f"WEBHOOK_PRIVATE_NETWORKS must be networks, as in 10.1.0.0/16,fd00::/8: {error}"
        ) from None


def email(url: str) -> dict[str, Any]:
    """Django's settings for a mail server, empty for none. Raises Fault."""
    if not url:
        return {}
    schemes = sorted(environ.Env.EMAIL_SCHEMES)
    scheme = url.partition("://")[0]
    if scheme not in schemes:
        raise Fault(f"EMAIL_URL must begin with one of {', '.join(f'{each}://' for each in schemes)}")
    try:
        found = dict(environ.Env.email_url_config(url))
    except ValueError:
        raise Fault("EMAIL_URL must be as in smtp+tls://user:password@mail.example.org:587") from None
    if scheme.startswith("smtp"):
        found["EMAIL_BACKEND"] = SMTP_BACKEND
    return found
