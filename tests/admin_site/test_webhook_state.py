"""How a webhook is, in the list of them."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.support.admin_pages import page
from transactions.notifications import endpoints

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/notifications/endpoint/"


def test_none_is_said_to_be_on_while_webhooks_are_switched_off(
    root: Client, people: list[User], settings: Settings
) -> None:
    settings.WEBHOOK_SECRET_KEYS = ["k" * 32]
    endpoints.add("https://hooks.example.org/alerts", description="On call")
    shown = page(root, LIST)
    assert ">On</span>" in shown
    assert "switched off" not in shown
    settings.WEBHOOK_SECRET_KEYS = []
    shown = page(root, LIST)
    assert "Webhooks are switched off" in shown
    assert ">No key</span>" in shown
    assert ">On</span>" not in shown
