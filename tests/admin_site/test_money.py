"""Amounts on the admin's pages, in their forms and in their files, where a currency is set."""

import csv
import html
import io
import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.support.admin_pages import change, page, store, url
from tests.support.alerts import open_alert
from tests.support.rule_pages import at, sent
from tests.support.rules import rule_in_force
from transactions import money
from transactions.models import SavedView
from transactions.notifications.models import Message
from transactions.rules.models import Version

pytestmark = pytest.mark.django_db(transaction=True)

GERMAN, BRITISH, FRENCH = ({"accept-language": name} for name in ("de-DE", "en-GB", "fr-FR"))
NO_BREAK, THIN = "\xa0", "\u202f"


@pytest.fixture
def euro(settings: Settings) -> None:
    settings.CURRENCY = "EUR"


def shown(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def field(page: str, name: str) -> str:
    found = re.search(rf'<input name="{name}" value="([^"]*)"', page)
    assert found, name
    return html.unescape(found[1])


@pytest.mark.parametrize(
    ("code", "accepted", "told"),
    [
        ("EUR", "en-GB", "€1,234.56"),
        ("EUR", "de-DE", f"1.234,56{NO_BREAK}€"),
        ("EUR", "fr-FR", f"1{THIN}234,56{NO_BREAK}€"),
        ("EUR", ";;garbage\x7f", "€1,234.56"),
        ("JPY", "en-GB", "JP¥123,456"),
        ("BHD", "en-GB", f"BHD{NO_BREAK}123.456"),
        ("", "de-DE", "123,456"),
    ],
)
def test_an_amount_is_in_the_currency_and_the_viewer_s_locale_on_every_page_of_it(
    root: Client, people: list[User], settings: Settings, code: str, accepted: str, told: str
) -> None:
    settings.CURRENCY = code
    row = store(people[0], "T1", amount=123_456)
    customer = reverse("admin:transactions_customer_change", args=[people[0].pk])
    paths = [url("transaction"), change(row), customer, "/admin/find/?q=T1"]
    for path in paths:
        assert told in shown(root, path, **{"accept-language": accepted}), path
    said = f"1 transaction · pending {told}"
    assert said in shown(root, url("transaction"), **{"accept-language": accepted})
    assert (
        told
        in root.get("/admin/find/found/?q=T1", headers={"accept-language": accepted}).json()["groups"][0][
            "items"
        ][0]["detail"]
    )


def test_without_a_currency_amounts_are_labelled_and_with_one_they_need_no_label(
    root: Client, people: list[User], settings: Settings
) -> None:
    store(people[0])
    assert 'Amount<span class="unit"> (smallest unit)</span>' in page(root, url("transaction"))
    settings.CURRENCY = "EUR"
    assert "(smallest unit)" not in page(root, url("transaction"))
    assert page(root, url("transaction")).count('placeholder="EUR"') == 2


@pytest.mark.parametrize(("code", "unit"), [("", " (smallest unit)"), ("EUR", "")])
def test_every_amount_of_a_page_without_a_currency_says_what_it_is_counted_in(
    root: Client, people: list[User], settings: Settings, code: str, unit: str
) -> None:
    row = store(people[0], "T1050", amount=1050)
    store(people[0], "OTHER", amount=2000, status="FAILED")
    alert = open_alert(people[0])
    settings.CURRENCY = code
    small, large = ("€10.50", "€20.00") if code else ("1,050", "2,000")
    in_unit = "" if code else " (amounts in the smallest unit)"
    customer = reverse("admin:transactions_customer_change", args=[people[0].pk])
    told = {
        url("transaction"): [f"pending {small}{in_unit}, all", f"Amount from{unit}"],
        url("transaction", "?amount_min=1050&amount_max=1050"): [f"amount: {small}{unit}"],
        url("transaction", "?amount_min=1050&amount_max=2000"): [
            f"amount: {small} or more{unit}",
            f"amount: {large} or less{unit}",
        ],
        customer: [f"Amount that succeeded{unit}", f"Amount that failed{unit}", f"Amount pending{unit}"],
        reverse("admin:alerts_alert_change", args=[alert.pk]): [f"Succeeded, 30 days{unit}"],
        change(row): [f"{large}{unit} · failed"],
        f"/admin/find/?q={'10.50' if code else 1050}": [f"{small}{unit} · "],
    }
    for path, texts in told.items():
        words = " ".join(re.sub("<[^>]+>", " ", shown(root, path)).split()).replace(" , ", ", ")
        assert [text for text in texts if text not in words] == [], path
        assert code == "" or "smallest unit" not in words, path


# --- The form of the list ---------------------------------------------------------------------


@pytest.mark.usefixtures("euro")
def test_what_is_typed_leads_to_a_url_in_the_smallest_unit(root: Client, people: list[User]) -> None:
    for locale, least, most in ((BRITISH, "10.50", "1,000"), (GERMAN, "10,50", "1.000")):
        query = {"q": "", "amount_from": least, "amount_to": most, "order": "largest"}
        answer = root.get(url("transaction"), query, headers=locale)
        assert answer.status_code == 302
        assert answer.headers["Location"] == url(
            "transaction", "?q=&order=largest&amount_min=1050&amount_max=100000"
        )


@pytest.mark.usefixtures("euro")
def test_a_url_means_the_same_in_every_locale_and_stands_in_the_form_as_it_is_typed(
    root: Client, people: list[User]
) -> None:
    store(people[0], "CHEAPER", amount=1049)
    store(people[0], "DEARER", amount=1050)
    path = url("transaction", "?amount_min=1050&amount_max=123456")
    for locale, least, most, word in (
        (BRITISH, "10.50", "1234.56", "amount: €10.50 or more"),
        (GERMAN, "10,50", "1234,56", f"amount: 10,50{NO_BREAK}€ or more"),
    ):
        found = shown(root, path, **locale)
        assert (field(found, "amount_from"), field(found, "amount_to")) == (least, most)
        assert word in found
        assert 'title="DEARER"' in found
        assert "CHEAPER" not in found


@pytest.mark.usefixtures("euro")
@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("10.505", "EUR has 2 decimals. Write 10.50."),
        ("10,50", "A comma groups digits in your locale, en-GB, and “.” begins the decimals. Write 10.50."),
        ("1e3", "This is no amount. Write digits, as in 10.50."),
        ("-5", "An amount is not negative. Write it without a sign, as in 10.50."),
        ("<b>", "This is no amount. Write digits, as in 10.50."),
        ("9" * 60, "An amount is at most 92233720368547758.07."),
    ],
)
def test_what_is_no_amount_is_told_beside_its_field_and_stays(
    root: Client, people: list[User], typed: str, told: str
) -> None:
    answer = root.get(url("transaction"), {"amount_from": typed, "user": "alice"}, headers=BRITISH)
    assert answer.status_code == 400
    found = answer.content.decode()
    assert field(found, "amount_from") == typed
    assert re.search(r'id="wrong-amount_min"[^>]*>(.*?)</p>', found)[1].endswith(html.escape(told))  # type: ignore[index]
    assert 'value="alice"' in found
    # Nothing of it is asked of a file either.
    export = root.get(reverse("admin:transactions_transaction_export"), {"amount_from": typed})
    assert export.status_code == 400


@pytest.mark.usefixtures("euro")
def test_an_emptied_field_takes_the_bound_of_a_view_away(root: Client, people: list[User]) -> None:
    view = SavedView.objects.create(
        owner=User.objects.get(username="root"), name="V", query="amount_min=1050&status=FAILED"
    )
    found = shown(root, url("transaction", f"?view={view.key}"), **BRITISH)
    assert field(found, "amount_from") == "10.50"
    answer = root.get(url("transaction"), {"view": view.key, "amount_from": ""}, follow=True)
    assert field(answer.content.decode(), "amount_from") == ""
    assert answer.status_code == 200


@pytest.mark.usefixtures("euro")
@pytest.mark.parametrize("given", ["10.50", "x", "1" * 100, "٣"])
def test_a_url_whose_bound_is_no_smallest_unit_is_refused_as_ever(
    root: Client, people: list[User], given: str
) -> None:
    answer = root.get(url("transaction"), {"amount_min": given})
    assert answer.status_code == 400
    assert field(answer.content.decode(), "amount_from") == given


@pytest.mark.parametrize(
    ("code", "typed", "found"),
    [
        ("EUR", "10.50", ["T1050"]),
        ("EUR", "€10.50", ["T1050"]),
        ("EUR", "1,050", ["T105000"]),
        ("JPY", "1050", ["T1050"]),
        ("BHD", "1.05", ["T1050"]),
        ("", "1,050", ["T1050"]),
        ("EUR", "10,50", []),
    ],
)
def test_the_search_finds_an_amount_as_it_is_written(
    root: Client, people: list[User], settings: Settings, code: str, typed: str, found: list[str]
) -> None:
    settings.CURRENCY = code
    for amount in (1050, 105_000):
        store(people[0], f"T{amount}", amount=amount)
    answer = root.get("/admin/find/found/", {"q": typed}, headers=BRITISH).json()
    of_amount = [group for group in answer["groups"] if group["name"].startswith("Of the amount")]
    assert [item["title"] for group in of_amount for item in group["items"]] == found


# --- The form of a rule -----------------------------------------------------------------------

NAMED = {"name": "Large", "severity": "HIGH", "description": "", "keep": ""}


@pytest.mark.usefixtures("euro")
def test_a_rule_is_typed_in_the_currency_and_kept_in_the_smallest_unit(root: Client) -> None:
    typed = {"kind": "amount", "at": "least", "amount": "1,000.50", "filter.amount_max": "2,000"}
    said = sent(root, at("rule_new"), **typed, **NAMED)
    assert "The amount is at least €1,000.50, looking at transactions of €2,000.00 or less." in said
    version = Version.objects.get()
    assert version.parameters == {"amount": 100_050, "filter": {"amount_max": 200_000}}
    draft = shown(root, at("rule_draft", version.rule_id), **GERMAN)
    assert 'value="1000,50"' in draft
    assert "Amounts are in EUR, as in 10,50." in draft
    assert "1.000,50" in shown(root, at("rule_change", version.rule_id), **GERMAN)


@pytest.mark.usefixtures("euro")
@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("10.505", "EUR has 2 decimals. Write 10.50."),
        ("1e3", "This is no amount. Write digits, as in 10.50."),
        ("0", "The amount must be from €0.01 to €92,233,720,368,547,758.07, as a whole number of the"),
        ("", "The amount is missing."),
    ],
)
def test_a_gap_that_is_no_amount_is_told_what_would_be_right(root: Client, typed: str, told: str) -> None:
    answer = root.post(at("rule_new"), {"kind": "amount", "at": "least", "amount": typed, **NAMED})
    found = html.unescape(answer.content.decode())
    assert told in found
    assert f'value="{typed}"' in found
    assert not Version.objects.exists()


@pytest.mark.usefixtures("euro")
def test_what_is_told_to_many_is_in_the_default_locale(people: list[User], settings: Settings) -> None:
    settings.FOUR_EYES = False
    with money.in_locale(money.locale_for("de")):
        version = rule_in_force("amount", amount=100_050)
    assert Message.objects.get().data["sentence"] == "The amount is at least €1,000.50."
    assert version.parameters == {"amount": 100_050}


# --- Files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "amounts", "last"),
    [("EUR", ["1234.56", "0.05"], ["EUR"]), ("JPY", ["123456", "5"], ["JPY"]), ("", ["123456", "5"], [])],
)
def test_a_file_has_amounts_in_the_currency_and_says_which(
    root: Client, people: list[User], settings: Settings, code: str, amounts: list[str], last: list[str]
) -> None:
    settings.CURRENCY = code
    for number, amount in enumerate((5, 123_456)):
        store(
            people[0], f"T{number}", amount=amount, created_at=datetime(2026, 3, 14, 12, number, tzinfo=UTC)
        )
    response = root.get(reverse("admin:transactions_transaction_export"), headers=GERMAN)
    assert isinstance(response, StreamingHttpResponse)
    head, *rows = list(csv.reader(io.StringIO(response.getvalue().decode())))
    assert head[:4] == ["transaction_id", "user_id", "customer_name", "amount"]
    assert head[9:] == (["currency"] if code else [])
    assert [row[3] for row in rows] == amounts
    assert [row[9:] for row in rows] == [last, last]
