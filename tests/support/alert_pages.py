"""The pages of alerts as a browser works with them: where they are, and the steps that are clicked there."""

from typing import Any

from django.test import Client

from tests.support.rule_pages import plain
from transactions.alerts.models import Alert

QUEUE = "/admin/alerts/alert/"


def at(alert: Alert) -> str:
    """The path of its page."""
    return f"{QUEUE}{alert.pk}/change/"


def step(client: Client, alert: Alert, name: str, **said: Any) -> str:
    """What the page says after a step with the version that there is, or that is said."""
    alert.refresh_from_db()
    said = {"version": alert.version, **said}
    response = client.post(f"{QUEUE}{alert.pk}/steps/{name}/", said, follow=True)
    assert response.status_code == 200
    return plain(response.content.decode())


def many(client: Client, name: str, *alerts: Alert, **said: Any) -> str:
    """What the queue says after a step with several alerts, each with the version that is known of it."""
    chosen = [f"{alert.pk}:{alert.version}" for alert in alerts]
    response = client.post(f"{QUEUE}bulk/", {"step": name, "alert": chosen, **said}, follow=True)
    assert response.status_code == 200
    return plain(response.content.decode())
