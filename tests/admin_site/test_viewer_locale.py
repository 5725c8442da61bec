"""Pages of the admin show money in the locale of their viewer's browser."""

import pytest
from django.test import Client
from pytest_django import Settings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("accepted", "locale"),
    [("en-GB", "en-GB"), ("de-DE,en;q=0.5", "de"), ("fr-FR", "fr"), ("garbage;;q=\xfc", "en"), ("", "en")],
)
def test_a_page_tells_scripts_its_currency_and_its_viewer_s_locale(
    root: Client, settings: Settings, accepted: str, locale: str
) -> None:
    settings.CURRENCY = "BHD"
    response = root.get("/admin/", headers={"accept-language": accepted})
    assert f'data-currency="BHD" data-decimals="3" data-locale="{locale}"' in response.content.decode()
    assert "Accept-Language" in response.headers["Vary"]
