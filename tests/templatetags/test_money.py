"""Amounts as people read and type them: by the deployment's currency, and the reader's locale."""

from decimal import Decimal

import pytest
from pytest_django import Settings

from transactions import money
from transactions.models import AMOUNT_MAX
from transactions.templatetags.components import as_money, money_attributes

LOCALES = ["en-GB", "de-DE", "fr-FR", "de-CH", "garbage;;q="]
THIN, NO_BREAK = "\u202f", "\xa0"


@pytest.fixture(params=["EUR", "JPY", "BHD", ""])
def currency(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.CURRENCY = request.param
    return str(request.param)


@pytest.mark.parametrize(
    ("code", "accepted", "shown"),
    [
        ("EUR", "en-GB", "€1,234,567.89"),
        ("EUR", "de-DE", f"1.234.567,89{NO_BREAK}€"),
        ("EUR", "fr-FR", f"1{THIN}234{THIN}567,89{NO_BREAK}€"),
        ("EUR", "de-CH", f"EUR{NO_BREAK}1'234'567.89"),
        ("EUR", "garbage;;q=", "€1,234,567.89"),
        ("JPY", "en-GB", "JP¥123,456,789"),
        ("JPY", "de-DE", f"123.456.789{NO_BREAK}¥"),
        ("JPY", "fr-FR", f"123{THIN}456{THIN}789{NO_BREAK}JPY"),
        ("BHD", "en-GB", f"BHD{NO_BREAK}123,456.789"),
        ("BHD", "de-DE", f"123.456,789{NO_BREAK}BHD"),
        # ISO 4217 gives it three, and CLDR none.
        ("IQD", "en-GB", f"IQD{NO_BREAK}123,456.789"),
        ("", "en-GB", "123,456,789"),
        # As all other numbers of a page are.
        ("", "de-DE", "123,456,789"),
        ("", "garbage;;q=", "123,456,789"),
    ],
)
def test_an_amount_is_shown_in_its_currency_by_the_reader_s_locale(
    code: str, accepted: str, shown: str, settings: Settings
) -> None:
    settings.CURRENCY = code
    assert money.text(123_456_789, money.locale_for(accepted)) == shown


@pytest.mark.parametrize(
    ("code", "shown", "plain"),
    [("EUR", "€0.05", "0.05"), ("JPY", "¥5", "5"), ("BHD", "BHD\xa00.005", "0.005"), ("", "5", "5")],
)
def test_a_few_of_the_smallest_unit_have_all_decimals(
    code: str, shown: str, plain: str, settings: Settings
) -> None:
    settings.CURRENCY = code
    assert (money.text(5), money.plain(5)) == (shown, plain)


@pytest.mark.parametrize(
    ("code", "accepted", "smallest", "shown"),
    [
        ("GBP", "en-GB", 1_280_000_000, "£12.8m"),
        ("EUR", "en-US", 1_234_567_800, "€12.3M"),
        ("EUR", "de-DE", 1_280_000_000, f"12,8{NO_BREAK}Mio.{NO_BREAK}€"),
        # No word for thousands.
        ("EUR", "de-DE", 78_145_756, f"781.000{NO_BREAK}€"),
        ("GBP", "en-GB", 78_145_756, "£781k"),
        ("GBP", "en-GB", 99_999, "£999.99"),
        ("JPY", "en-GB", 12_800_000, "JP¥12.8m"),
        ("GBP", "en-GB", 9_223_372_036_854_775_807, "£92,200tn"),
        ("", "en-GB", 12_812_345, "12.8M"),
        ("", "de-DE", 999, "999"),
    ],
)
def test_about_so_much_is_short(
    code: str, accepted: str, smallest: int, shown: str, settings: Settings
) -> None:
    settings.CURRENCY = code
    assert money.about(smallest, money.locale_for(accepted)) == shown


@pytest.mark.parametrize("accepted", money.LOCALES)
@pytest.mark.parametrize("power", range(3, 19))
def test_about_so_much_has_no_parts_of_a_unit_in_any_locale(
    accepted: str, power: int, settings: Settings
) -> None:
    settings.CURRENCY = "EUR"
    shown = money.about(123_456_789 * 10 ** (power - 3), money.locale_for(accepted))
    digits = "".join(sign for sign in shown if sign.isdigit())
    assert digits.strip("0") in ("123", "12", "1")


def test_what_is_less_than_nothing_or_an_average_is_shown_too(settings: Settings) -> None:
    settings.CURRENCY = "EUR"
    assert money.text(-1050) == "-€10.50"
    assert money.text(Decimal("1234.5")) == "€12.34"
    settings.CURRENCY = ""
    assert money.text(Decimal("1234.567")) == "1,234.57"


def test_a_sum_of_more_digits_than_any_amount_is_exact(settings: Settings) -> None:
    settings.CURRENCY = "EUR"
    assert money.plain(10**40 + 1) == "1" + "0" * 37 + "0.01"
    assert money.text(10**40 + 1).endswith(",000.01")


@pytest.mark.parametrize("accepted", money.LOCALES)
def test_what_is_shown_and_what_a_form_has_can_be_typed(accepted: str, currency: str) -> None:
    locale = money.locale_for(accepted)
    assert money.tag(locale) == accepted
    for amount in (0, 5, 1050, 123_456_789, AMOUNT_MAX):
        for written in (money.text(amount, locale), money.typed(amount, locale)):
            assert money.parse(written, locale) == amount


@pytest.mark.parametrize(
    ("code", "accepted", "typed", "amount"),
    [
        ("EUR", "en-GB", "10.50", 1050),
        ("EUR", "en-GB", " 10.5 ", 1050),
        ("EUR", "en-GB", "10", 1000),
        ("EUR", "en-GB", ".5", 50),
        ("EUR", "en-GB", "10.5000", 1050),
        ("EUR", "en-GB", "EUR 1,234.50", 123_450),
        ("EUR", "de-DE", "10,50", 1050),
        ("EUR", "de-DE", "1.234,50 €", 123_450),
        ("EUR", "fr-FR", "1 234,50", 123_450),
        ("EUR", "de-CH", "1’234.50", 123_450),
        ("EUR", "en-IN", "12,34,567.00", 123_456_700),
        ("JPY", "en-GB", "1,050", 1050),
        ("BHD", "en-GB", "10.505", 10_505),
        ("BHD", "en-GB", "1.000", 1000),
        ("", "en-GB", "1050", 1050),
        ("", "en-GB", "1,050", 1050),
    ],
)
def test_what_is_typed_is_read_by_the_locale(
    code: str, accepted: str, typed: str, amount: int, settings: Settings
) -> None:
    settings.CURRENCY = code
    assert money.parse(typed, money.locale_for(accepted)) == amount


@pytest.mark.parametrize(
    ("code", "accepted", "typed", "said"),
    [
        ("EUR", "en-GB", "10.505", "EUR has 2 decimals. Write 10.50."),
        # Of another locale it is a thousand.
        ("EUR", "en-GB", "1.000", "EUR has 2 decimals. Write 10.50."),
        ("EUR", "de-DE", "1,000", "EUR has 2 decimals. Write 10,50."),
        ("JPY", "de-DE", "1,000", "JPY has no decimals. Write 1050."),
        ("", "en-GB", "1.000", "An amount is in the smallest unit, a whole number. Write it as in 1050."),
        ("JPY", "en-GB", "10.50", "JPY has no decimals. Write 1050."),
        ("BHD", "en-GB", "1.2345", "BHD has 3 decimals. Write 10.500."),
        (
            "EUR",
            "en-GB",
            "10,50",
            "A comma groups digits in your locale, en-GB, and “.” begins the decimals. Write 10.50.",
        ),
        (
            "EUR",
            "de-DE",
            "10.50",
            "A point groups digits in your locale, de, and “,” begins the decimals. Write 10,50.",
        ),
        ("EUR", "fr-FR", "10.50", "A point stands in no amount of your locale, fr. Write 10,50."),
        ("EUR", "en-GB", "1e3", "This is no amount. Write digits, as in 10.50."),
        ("EUR", "en-GB", "-5", "An amount is not negative. Write it without a sign, as in 10.50."),
        ("EUR", "en-GB", "−5", "An amount is not negative. Write it without a sign, as in 10.50."),
        ("EUR", "en-GB", "", "This is no amount. Write digits, as in 10.50."),
        ("EUR", "en-GB", "1.2.3", "This is no amount. Write digits, as in 10.50."),
        ("EUR", "en-GB", "NaN", "This is no amount. Write digits, as in 10.50."),
        ("EUR", "en-GB", "٣", "This is no amount. Write digits, as in 10.50."),
        ("EUR", "en-GB", "1" * 5_000, "This is no amount. Write digits, as in 10.50."),
        ("EUR", "en-GB", "USD 5", "This is no amount. Write digits, as in 10.50."),
        ("EUR", "en-GB", "92233720368547758.08", "An amount is at most 92233720368547758.07."),
        ("", "en-GB", "10.50", "An amount is in the smallest unit, a whole number. Write it as in 1050."),
    ],
)
def test_what_is_no_amount_is_told_what_would_be_right(
    code: str, accepted: str, typed: str, said: str, settings: Settings
) -> None:
    settings.CURRENCY = code
    with pytest.raises(money.NotMoneyError) as refused:
        money.parse(typed, money.locale_for(accepted))
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        ("en-GB,en;q=0.9", "en-GB"),
        ("de-DE", "de"),
        ("de;q=0.3, fr-BE;q=0.8", "fr-BE"),
        # Neither its digits nor its direction are the page's; the next one holds.
        ("ar-EG, pl;q=0.5", "pl"),
        ("", "en"),
        ("*", "en"),
        ("garbage;;q=", "en"),
        ("../../etc/passwd", "en"),
        ("\x00", "en"),
        ("x" * 100_000, "en"),
        ("tlh," * 100_000 + "de", "en"),
        ("tlh", "en"),
    ],
)
def test_a_locale_is_the_first_that_the_browser_names_and_we_have(accepted: str, tag: str) -> None:
    assert money.tag(money.locale_for(accepted)) == tag


def test_a_locale_is_active_within_and_what_was_before_after_it(settings: Settings) -> None:
    settings.CURRENCY = "EUR"
    with money.in_locale(money.locale_for("de")):
        assert as_money(1050) == "10,50\xa0€"
    assert as_money(1050) == "€10.50"
    assert as_money(None) == "–"


@pytest.mark.parametrize(
    ("code", "attributes"),
    [
        ("EUR", 'data-currency="EUR" data-decimals="2" data-locale="de-CH"'),
        ("JPY", 'data-currency="JPY" data-decimals="0" data-locale="de-CH"'),
        ("", 'data-currency="" data-decimals="" data-locale="de-CH"'),
    ],
)
def test_scripts_are_told_the_currency_and_the_locale(code: str, attributes: str, settings: Settings) -> None:
    settings.CURRENCY = code
    with money.in_locale(money.locale_for("de-CH")):
        assert money_attributes() == attributes
