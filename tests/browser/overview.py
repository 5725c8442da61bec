"""The front page of a time in which more fails than usual, and where its links lead."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from django.utils.dateparse import parse_datetime
from playwright.sync_api import Locator

from transactions.models import Transaction

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def listed_by(link: Locator) -> int:
    """How many transactions the list is asked for by a link."""
    asked = {
        name: values[0] for name, values in parse_qs(urlsplit(link.get_attribute("href") or "").query).items()
    }
    bounds = {
        "status": asked.get("status"),
        "user": asked.get("user"),
        "created_at__gte": parse_datetime(asked["from"]),
        "created_at__lt": parse_datetime(asked["to"]),
    }
    return Transaction.objects.filter(**{name: value for name, value in bounds.items() if value}).count()


def box(place: Locator) -> dict[str, float]:
    found: dict[str, float] = place.evaluate("place => place.getBoundingClientRect().toJSON()")
    return found
