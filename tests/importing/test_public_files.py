"""Files that people have, by the columns their makers name: read right, or asked about."""

from typing import Any

import pytest

from tests.importing.reading import rows_of, table_of
from transactions.importing.guess import Guess, guess
from transactions.importing.mapping import Mapping

CONTENT = Mapping(ids="content")


def guessed(text: str, given: Mapping = CONTENT, **stated: Any) -> Guess:
    return guess(table_of(text.encode(), "file.csv", **stated), given)


def asked(found: Guess) -> list[str]:
    return [each.key for each in found.open]


# --- Banks ----------------------------------------------------------------------------------------

ING = """Umsatzanzeige;Datei erstellt am: 31.01.2026 12:00

IBAN;DE12 5001 0517 0648 4898 90
Saldo;1.234,56;EUR

Buchung;Wertstellungsdatum;Auftraggeber/Empfänger;Buchungstext;Verwendungszweck;Saldo;Währung;Betrag;Währung
31.01.2026;31.01.2026;Stadtwerke;Lastschrift;Strom;1.234,56;EUR;-89,00;EUR
30.01.2026;30.01.2026;Anna Beispiel;Gutschrift;Rechnung;1.323,56;USD;1.000,00;EUR
"""


def test_of_two_columns_of_one_name_it_is_asked_which_is_meant() -> None:
    found = guessed(ING, Mapping(ids="content", status="SUCCESS", negative="refund", timezone="UTC"))
    question, when = found.open
    assert question.key == "columns.currency"
    assert [value for value, _ in question.choices] == ["Währung", "Währung (2)", ""]
    # Of two columns of days, one of an unknown name, nobody knows either.
    assert (when.key, [value for value, _ in when.choices]) == (
        "columns.created_at",
        ["Buchung", "Wertstellungsdatum", ""],
    )
    assert found.mapping.named["user"] == "Auftraggeber/Empfänger"
    assert found.mapping.named["amount"] == "Betrag"


COMDIRECT = """;
"Umsätze Girokonto";"Zeitraum: 30 Tage";
"Neuer Kontostand";"1.234,56 EUR";

"Buchungstag";"Wertstellung (Valuta)";"Vorgang";"Buchungstext";"Umsatz in EUR";
"31.01.2026";"31.01.2026";"Lastschrift / Belastung";"Auftraggeber: Stadtwerke";"-89,00";
"30.01.2026";"30.01.2026";"Übertrag / Überweisung";"Empfänger: Bob";"1.000,00";

"Alter Kontostand";"323,56 EUR";

"Umsätze Visa-Karte (Kreditkarte)";"Zeitraum: 30 Tage";

"Buchungstag";"Wertstellung";"Vorgang";"Referenz";"Umsatz in EUR";
"31.01.2026";"30.01.2026";"Visa-Umsatz";"123";"-10,00";
"""


def test_a_header_between_sums_and_other_lines_is_found_by_its_names() -> None:
    found = guessed(COMDIRECT)
    assert found.mapping.named["amount"] == "Umsatz in EUR"
    assert found.mapping.named["created_at"] == "Buchungstag"
    assert found.mapping.currency == "EUR"


def test_rows_of_a_second_table_are_refused_with_the_line_on_which_it_begins() -> None:
    rows = rows_of(COMDIRECT.encode())
    assert [row.line for row in rows if not row.fault] == [6, 7]
    last, header = rows[-1], rows[-2]
    assert (
        last.fault
        == header.fault
        == ("another table begins on line 13: its rows belong into a file of their own")
    )


DKB = """"Girokonto";"DE12500105170648489890"
"Kontostand vom 31.01.2026:";"1.234,56 €"
""
"Buchungsdatum";"Wertstellung";"Status";"Zahlungspflichtige*r";"Zahlungsempfänger*in";"Umsatztyp";"Betrag (€)"
"31.01.26";"31.01.26";"Gebucht";"Max Muster";"Stadtwerke";"Ausgang";"-89,00"
"30.01.26";"30.01.26";"Gebucht";"Anna Beispiel";"Max Muster";"Eingang";"1.234,56"
"29.01.26";"";"Vorgemerkt";"Max Muster";"REWE";"Ausgang";"-12"
"""


def test_of_who_pays_and_who_is_paid_the_other_side_is_the_customer() -> None:
    found = guessed(DKB, Mapping(ids="content", negative="refund", timezone="Europe/Berlin"))
    named = found.mapping.named
    assert (named["user"], named["refund_user"]) == ("Zahlungspflichtige*r", "Zahlungsempfänger*in")
    assert (found.open, found.unknown) == ((), ())


def test_what_is_only_noted_by_a_bank_is_pending() -> None:
    text = (
        "Auftragskonto;Buchungstag;Beguenstigter/Zahlungspflichtiger;Betrag;Waehrung;Info\n"
        "DE12;31.01.26;Anna Beispiel;1.234,56;EUR;Umsatz gebucht\n"
        "DE12;31.01.26;REWE;12,34;EUR;Umsatz vorgemerkt\n"
    )
    found = guessed(text, Mapping(ids="content", timezone="UTC"))
    named = found.mapping.named
    assert (named["status"], named["user"]) == ("Info", "Beguenstigter/Zahlungspflichtiger")
    assert (found.open, found.unknown) == ((), ())


# --- Payment services -----------------------------------------------------------------------------

SQUARE = """Date,Time,Time Zone,Gross Sales,Net Total,Payment ID,Customer ID
2026-01-31,13:05:06,Eastern Time (US & Canada),"$1,234.56","$1,200.00",P1,7
2026-02-01,13:05:06,{zone},$10.00,$9.00,P2,8
"""


def test_of_sales_before_and_after_fees_it_is_asked_which_is_meant() -> None:
    assert "columns.amount" in asked(guessed(SQUARE.format(zone="UTC")))


def test_a_zone_as_programs_call_it_is_known() -> None:
    found = guessed(SQUARE.format(zone="Pacific Time (US & Canada)"))
    assert found.mapping.named["timezone"] == "Time Zone"


def test_a_zone_that_nobody_knows_is_asked_about() -> None:
    found = guessed(SQUARE.format(zone="Eastern"))
    (question,) = (each for each in found.open if each.key == "columns.timezone")
    assert "line 3: “Eastern”" in question.why
    assert [value for value, _ in question.choices] == ["Time Zone", ""]


def test_the_state_of_a_payout_is_none_of_the_payment() -> None:
    text = "Transaction Date,Payout Status,Amount\n2026-01-05 10:00:00Z,pending,5.00\n"
    assert "status" in asked(guessed(text))


def test_what_only_a_line_of_sums_has_is_told_by_another_column() -> None:
    """As the flat file of Amazon's settlements: its first row is the whole settlement's."""
    text = (
        "settlement-id\tdeposit-date\ttransaction-type\tamount-type\tamount\tposted-date\n"
        "1\t16.01.2026\t\t\t\t\n"
        "1\t\tOrder\tItemPrice\t50,00\t15.01.2026\n"
        "1\t\tOrder\tItemFees\t-7,50\t15.01.2026\n"
    )
    found = guessed(text)
    assert found.mapping.named["created_at"] == "posted-date"
    assert "skip.amount-type" in asked(found)


# --- Data sets ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "row", "name"),
    [
        ("step,customer,amount", "0,7,4.55", "step"),
        ("User,Year,Month,Day,Time,Amount", "7,2002,9,1,06:21,$134.09", "Year"),
    ],
)
def test_a_column_that_may_say_when_is_not_passed_over_in_silence(header: str, row: str, name: str) -> None:
    found = guessed(f"{header}\n{row}\n")
    (question,) = (each for each in found.open if each.key == "columns.created_at")
    assert f"“{name}”" in question.why
    assert question.choices[-1][0] == ""


def test_where_somebody_lives_is_no_status() -> None:
    text = (
        "trans_date_trans_time,cc_num,amt,city,state,trans_num,unix_time,merch_lat\n"
        "2019-01-01 00:00:18,2703186189652095,4.97,Moravian Falls,NC,0b242abb62,1325376018,36.011293\n"
        "2019-01-01 00:00:44,630423337322,107.23,Orient,WA,1f76529f85,1325376044,49.159046\n"
    )
    found = guessed(text, Mapping())
    named = found.mapping.named
    assert (named["user"], named["amount"], named["transaction_id"]) == ("cc_num", "amt", "trans_num")
    assert asked(found) == ["status", "timezone"]


def test_the_price_of_one_is_not_what_all_of_them_cost() -> None:
    text = "InvoiceNo,Quantity,InvoiceDate,UnitPrice,CustomerID\n536365,6,12/13/2010 8:26,2.55,17850\n"
    found = guessed(text)
    assert "columns.amount" in asked(found)


def test_a_status_of_two_letters_is_still_one() -> None:
    found = guessed("id,user,amount,Status\n1,7,5.00,PD\n2,7,5.00,FL\n", Mapping())
    assert [word for word, _ in found.unknown] == ["PD", "FL"]
