"""What the tests of the dashboard's figures have in common."""

import json
from typing import Any

from django.test import Client
from django.urls import reverse


def get(client: Client, name: str, **query: str) -> Any:
    """What an address of the dashboard answers, which must be 200."""
    response = client.get(reverse(f"dashboard-{name}"), query)
    assert response.status_code == 200, response.content
    return json.loads(response.content)
