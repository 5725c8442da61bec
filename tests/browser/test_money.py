"""Money on the pages: in the deployment's currency, by the viewer's locale, exact however large."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.templatetags.static import static
from playwright.sync_api import Page, expect
from pytest_django import Settings

from tests.browser.dashboard import Dashboard
from tests.browser.layout import faults
from tests.browser.test_saved_charts import saved
from tests.support.rules import pay_debt, rule_in_force
from transactions import money
from transactions.alerts.models import Alert
from transactions.models import AMOUNT_MAX
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

# What the scripts make of amounts, each locale and currency by a copy of its own of the module.
SHOWN = """async ([url, asked, amounts]) => {
  const frame = document.getElementById("page").dataset, told = [];
  for (const [locale, currency, decimals] of asked) {
    Object.assign(frame, { locale, currency, decimals });
    const { money } = await import(`${url}?${locale}${currency}`);
    told.push(amounts.map(money));
  }
  return told;
}"""
AMOUNTS = [0, 5, 50, 100, 123, 1234, 12345, 123456, 1234567, 2**53 + 1, AMOUNT_MAX, 10**30 + 1]
# Of these one release of the CLDR has another sign, or another space, than the next: no other digit or mark.
OTHER_SIGNS = {("da", "USD"), ("es-AR", "USD"), ("es-CO", "USD")}


def test_a_page_and_its_scripts_show_the_same_of_every_amount(
    page: Page, server: str, settings: Settings
) -> None:
    page.goto(f"{server}/admin/transactions/transaction/")
    asked: list[tuple[str, str, str]] = []
    expected: list[Any] = []
    for settings.CURRENCY in ("", "EUR", "USD", "GBP", "JPY", "BHD", "CHF"):
        for locale in money.LOCALES:
            asked.append((locale, settings.CURRENCY, str(money.decimals() or 0)))
            expected.append([money.text(amount, locale) for amount in AMOUNTS])
    url = static("transactions/dashboard/format.js")
    told = page.evaluate(SHOWN, [url, asked, [str(amount) for amount in AMOUNTS]])
    unlike = [
        (*which[:2], shown, wanted)
        for which, these, those in zip(asked, told, expected, strict=True)
        for shown, wanted in zip(these, those, strict=True)
        if shown != wanted and which[:2] not in OTHER_SIGNS
    ]
    assert unlike == []


# --- What is typed --------------------------------------------------------------------------------

TYPED = """async ([url, texts]) => {
  const { readMoney, typedMoney } = await import(url);
  return texts.map((text) => {
    try { return typedMoney(readMoney(text)); } catch (error) { return error.message; }
  });
}"""


@pytest.mark.parametrize(
    ("locale", "currency", "typed"),
    [
        (
            "en-GB",
            "EUR",
            {
                "10.50": "10.50", "10.5": "10.50", "1,234.56": "1234.56", "€1,234": "1234.00",
                "1234 EUR": "1234.00", "0": "0.00", ".5": "0.50", "1.5000": "1.50",
                "1.500": "EUR has 2 decimals. Write 10.50.", "1.000": "EUR has 2 decimals. Write 10.50.",
                "92,233,720,368,547,758.07": "92233720368547758.07",
                "92233720368547758.08": "An amount is at most €92,233,720,368,547,758.07.",
                "10,50": "In your locale “,” groups digits, and “.” begins the decimals. Write 10.50.",
                "1.234.56": "In your locale “,” groups digits, and “.” begins the decimals. Write 10.50.",
                "1.005": "EUR has 2 decimals. Write 10.50.",
                "-3": "An amount is not negative. Write it without a sign, as in 10.50.",
                "ten": "This is no amount. Write digits, as in 10.50.",
                "1e3": "This is no amount. Write digits, as in 10.50.",
            },
        ),
        (
            "de-DE",
            "EUR",
            {
                "10,50": "10,50", "1.234,56 €": "1234,56", "1234": "1234,00",
                "10.50": "In your locale “.” groups digits, and “,” begins the decimals. Write 10,50.",
            },
        ),
        ("fr-FR", "EUR", {"1 234,56": "1234,56", "1\u202f234": "1234,00"}),
        ("de-CH", "CHF", {"1'234.50": "1234.50", "1’234.50 CHF": "1234.50"}),
        ("en-IN", "INR", {"₹12,34,567.8": "1234567.80"}),
        ("ja-JP", "JPY", {"1,050": "1050", "1050 JPY": "1050", "1.5": "JPY has no decimals. Write 1050."}),
        ("en-GB", "", {"1,050": "1050", "007": "7"}),
    ],
)  # fmt: skip
def test_an_amount_is_typed_as_it_is_read(page: Page, server: str, typed: dict[str, str]) -> None:
    page.goto(f"{server}/admin/transactions/transaction/")
    url = static("transactions/dashboard/typed_money.js")
    assert page.evaluate(TYPED, [url, list(typed)]) == list(typed.values())


READ = """async ([url, texts]) => {
  const { readMoney } = await import(url);
  return texts.map((text) => { try { return String(readMoney(text)); } catch { return null; } });
}"""
GROUPED = [
    "1234567", "1,234,567", "12,34,567", "12,34,56,789", "1,23,4567", "1,234", "0,123", "01,234", "12,34",
    "1,2345", ",123", "1,,234", "123,4567", "1,234,", "1,234.5", "12,34,567.50", "1.234,50", "1,234.5,0",
    "1.2.3", ".5", "007", "1.000", "1.500", "1.0000", "1.00",
]  # fmt: skip
SIGNED = ["¤5", "5¤", "¤5¤", "¤ 5 ¤", "¤¤5", "5", "- 5", "¤"]


def read_by_the_server(text: str, locale: str) -> str | None:
    try:
        return str(money.parse(text, money.locale_for(locale)))
    except money.NotMoneyError:
        return None


@pytest.mark.parametrize(
    ("locale", "currency", "signs"),
    [
        ("en-GB", "EUR", "€"), ("en-IN", "INR", "₹"), ("de-DE", "EUR", "€"),
        ("fr-FR", "EUR", "€"), ("de-CH", "CHF", "CHF"),
        ("ja-JP", "JPY", "￥"), ("en-GB", "", "€"),
    ],
)  # fmt: skip
def test_scripts_take_the_same_texts_for_the_same_amounts_as_the_server(
    page: Page, server: str, settings: Settings, locale: str, currency: str, signs: str
) -> None:
    settings.CURRENCY = currency
    texts = [
        text.translate({ord(","): group, ord("."): point})
        for text in GROUPED
        for group, point in [(",", "."), (".", ","), (" ", ","), ("\u202f", ","), ("'", "."), ("’", ".")]
    ]
    texts += [text.replace("¤", sign) for text in SIGNED for sign in (signs, currency)]
    texts += [f"{signs}5 {currency}", f"{currency}5{signs}", f"{currency}{signs}5", f"{signs}{currency}5"]
    page.goto(f"{server}/admin/transactions/transaction/")
    read = page.evaluate(READ, [static("transactions/dashboard/typed_money.js"), texts])
    unlike = [
        (text, told, wanted)
        for text, told, wanted in zip(
            texts, read, [read_by_the_server(text, locale) for text in texts], strict=True
        )
        if told != wanted
    ]
    assert unlike == []


# --- The dashboard --------------------------------------------------------------------------------


def post_earnings(dashboard: Dashboard, begin: datetime) -> None:
    """Stores 123456, 4 and 1 that succeeded, then a huge one that is pending and one that failed."""
    facts = [
        ("A", 123456, "SUCCESS"), ("B", 4, "SUCCESS"), ("C", 1, "SUCCESS"), ("P", AMOUNT_MAX, "PENDING"),
        ("F", AMOUNT_MAX, "FAILED"),
    ]  # fmt: skip
    dashboard.post_all(
        [
            {
                "transaction_id": id,
                "amount": amount,
                "status": status,
                "created_at": (begin + timedelta(seconds=n)).isoformat(),
            }
            for n, (id, amount, status) in enumerate(facts)
        ]
    )
    flush()


@pytest.mark.parametrize(
    ("currency", "locale", "one", "huge", "earned", "typed", "written"),
    [
        ("EUR", "en-GB", "€1,234.56", "€92,233,720,368,547,758.07", "€1,234.61", "1,000.00", "1000.00"),
        (
            "EUR", "de-DE", "1.234,56\xa0€", "92.233.720.368.547.758,07\xa0€", "1.234,61\xa0€",
            "1.000", "1000,00",
        ),
        ("JPY", "en-GB", "JP¥123,456", "JP¥9,223,372,036,854,775,807", "JP¥123,461", "100,000", "100000"),
        ("", "en-GB", "123,456", "9,223,372,036,854,775,807", "123,461", "100,000", "100000"),
    ],
)  # fmt: skip
def test_what_failed_moves_no_figure_of_what_succeeded_and_all_is_shown_in_the_currency(
    dashboard: Dashboard, currency: str, one: str, huge: str, earned: str, typed: str, written: str
) -> None:
    page = dashboard.page
    post_earnings(dashboard, datetime.now(UTC) - timedelta(minutes=1))
    dashboard.open()
    expect(page.locator("[data-figure=succeeded] .figure-value")).to_have_text(earned)
    expect(page.locator("[data-figure=count] .figure-value")).to_have_text("5")
    unit = page.locator("[data-figure=succeeded]").get_by_text("in the smallest unit")
    expect(unit).to_have_count(0 if currency else 1)
    expect(page.locator("#rows th.number")).to_have_text("Amount" if currency else "Amount (smallest unit)")
    dashboard.shows("F", "P", "C", "B", "A")
    amounts = page.locator("#rows td.number")
    expect(amounts.first).to_have_text(huge)
    expect(amounts.last).to_have_text(one)
    looks = """cell => {
      const { textAlign, fontVariantNumeric } = getComputedStyle(cell);
      return [textAlign, fontVariantNumeric];
    }"""
    assert amounts.last.evaluate(looks) == ["right", "tabular-nums"]
    # What is typed is money; in links it is in the smallest unit, whoever opens them.
    page.locator("#filters [name=min]").fill(typed)
    dashboard.shows("F", "P", "A")
    expect(page.locator("#as-list")).to_have_attribute("href", re.compile(r"\?amount_min=100000$"))
    assert page.url.endswith("?min=100000")
    page.reload()
    expect(page.locator("#filters [name=min]")).to_have_value(written)
    dashboard.shows("F", "P", "A")
    page.locator("#rows tbody button").last.click()
    expect(page.locator("#story-facts")).to_contain_text(one)


@pytest.mark.parametrize(
    ("currency", "locale", "unit", "shown", "plain"),
    [
        (
            "EUR", "en-GB", "EUR", ["€1,234.61", "€411.54", *["€92,233,720,368,547,758.07"] * 2],
            ["1234.61", "411.54", *["92233720368547758.07"] * 2],
        ),
        (
            "JPY", "ja-JP", "JPY", ["￥123,461", "￥41,154", *["￥9,223,372,036,854,775,807"] * 2],
            ["123461", "41154", *["9223372036854775807"] * 2],
        ),
        (
            "", "en-GB", "smallest unit", ["123,461", "41,154", *["9,223,372,036,854,775,807"] * 2],
            ["123461", "41154", *["9223372036854775807"] * 2],
        ),
    ],
)  # fmt: skip
def test_days_tell_what_succeeded_failed_and_is_pending_apart_and_exactly(
    dashboard: Dashboard, currency: str, unit: str, shown: list[str], plain: list[str]
) -> None:
    page = dashboard.page
    post_earnings(dashboard, datetime(2026, 3, 1, 12, tzinfo=UTC))
    page.goto(f"{dashboard.server}/admin/?from=2026-03-01&to=2026-03-02")
    expect(page.locator("#averages tbody td")).to_have_text(["2026-03-01", "5", *shown, *[""] * 5])
    head, day = saved(page, "averages")
    sums = ["Succeeded", "Average of the succeeded", "Failed", "Pending"]
    assert head[:6] == ["Day (UTC)", "Transactions", *(f"{name} ({unit})" for name in sums)]
    assert day == ["2026-03-01", "5", *plain, *[""] * 5]
    names = {"Succeeded amount": "succeeded amount", "Average of the succeeded": "average of the succeeded"}
    for (choice, name), value in zip(names.items(), shown, strict=False):
        page.locator("#range").get_by_role("button", name=choice).click()
        told, title = page.evaluate(
            """() => {
              const chart = Chart.getChart(document.querySelector("#averages canvas"));
              const { plugins: { tooltip }, scales: { y } } = chart.options;
              const point = { dataset: chart.data.datasets[0], dataIndex: 0 };
              return [tooltip.callbacks.label(point), y.title.text];
            }"""
        )
        assert (told, title) == (f" {name}: {value}", f"{name} ({unit})")


@pytest.mark.parametrize(
    ("currency", "locale", "value", "shown"),
    [
        ("EUR", "en-GB", 0, "€0"),
        ("EUR", "en-GB", 50, "€0.5"),
        ("EUR", "en-GB", 1_250_00, "€1.3k"),
        ("EUR", "en-GB", 2e11, "€2bn"),
        ("EUR", "en-GB", 5e19, "5 × 10¹⁷\xa0EUR"),
        ("EUR", "de-DE", 2e8, "2\xa0Mio.\xa0€"),
        ("JPY", "en-GB", 2e6, "JP¥2m"),
        ("", "en-GB", 5e19, "5 × 10¹⁹"),
        ("", "de-DE", 2e6, "2M"),
    ],
)
def test_an_axis_of_money_is_short(dashboard: Dashboard, value: float, shown: str) -> None:
    path = static("transactions/dashboard/format.js")
    brief = "async ([path, value]) => (await import(path)).moneyBrief(value)"
    assert dashboard.page.evaluate(brief, [path, value]) == shown


# --- Every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("currency", "locale"), [("EUR", "de-DE"), ("JPY", "en-GB"), ("", "en-GB")])
def test_the_largest_amounts_break_no_page_at_any_width(
    dashboard: Dashboard, people: list[User], settings: Settings, currency: str
) -> None:
    settings.FOUR_EYES = False
    rule_in_force("amount", amount=1)
    post_earnings(dashboard, datetime.now(UTC) - timedelta(minutes=1))
    dashboard.post_all(
        [{"transaction_id": f"S{n}", "amount": AMOUNT_MAX, "status": "SUCCESS"} for n in range(3)]
    )
    flush()
    pay_debt()
    alert = Alert.objects.get()
    paths = [
        "",
        "transactions/transaction/",
        "transactions/transaction/?status=FAILED&amount_min=1000",
        f"transactions/customer/{people[0].pk}/change/",
        "transactions/transaction/story/?transaction_id=F",
        f"alerts/alert/{alert.pk}/change/",
        "alerts/alert/",
        f"rules/rule/{alert.rule}/change/",
        "find/?q=F",
    ]
    page, found = dashboard.page, []
    for width in (390, 768, 1400, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        for path in paths:
            page.goto(f"{dashboard.server}/admin/{path}")
            expect(page.locator("h1").first).to_be_visible()
            if not path:
                expect(page.locator("#rows tbody tr").first).to_be_visible()
                expect(page.locator("[data-figure=pending] .figure-value")).to_have_text("1")
            found += [f"{width} {path or 'overview'}: {fault}" for fault in faults(page)]
    assert not found, "\n".join(found)
