"""What the tests of the dashboard's figures have in common."""

import json
from datetime import UTC, datetime
from typing import Any

from django.test import Client
from django.urls import reverse

# Amid a quarter of an hour, at no whole minute.
NOW = datetime(2026, 3, 14, 12, 20, 30, tzinfo=UTC)


def get(client: Client, name: str, **query: str) -> Any:
    """What an address of the dashboard answers, which must be 200."""
    response = client.get(reverse(f"dashboard-{name}"), query)
    assert response.status_code == 200, response.content
    return json.loads(response.content)
