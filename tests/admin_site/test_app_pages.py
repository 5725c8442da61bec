"""Addresses that somebody shortens, or that browsers make up: each leads somewhere."""

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import staff

pytestmark = pytest.mark.django_db(transaction=True)


def leads_to(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 302, path
    return answer.headers["Location"]


def test_the_address_of_an_application_leads_to_the_first_of_its_pages(root: Client) -> None:
    assert leads_to(root, "/admin/uploads/") == reverse("admin:uploads_upload_changelist")
    assert leads_to(root, "/admin/transactions/") == reverse("admin:transactions_transaction_changelist")
    for label in apps.app_configs:
        assert root.get(f"/admin/{label}/", follow=True).status_code == 200, label


def test_it_leads_to_the_first_page_of_all_where_none_of_its_own_opens(
    client: Client, people: list[User]
) -> None:
    staff(client, "view_transaction")
    assert leads_to(client, "/admin/uploads/") == reverse("admin:index")


def test_who_is_not_in_is_led_to_the_log_in(client: Client) -> None:
    assert leads_to(client, "/admin/uploads/").startswith("/admin/login/")


@pytest.mark.parametrize("path", ["/admin/nothing/", "/admin/Uploads/", "/admin/uploads.x/"])
def test_what_is_no_application_is_not_there(root: Client, path: str) -> None:
    assert root.get(path).status_code == 404


def test_a_browser_that_asks_for_the_icon_alone_gets_it(client: Client) -> None:
    assert leads_to(client, "/favicon.ico").startswith("/static/transactions/icon")
