"""Statements of banks: camt, OFX and MT940 give the same columns, and all of their entries or none."""

import logging

import pytest

from tests.importing.reading import rows_of, table_of
from tests.importing.tables import table
from transactions.importing.columns.money import MoneyProof, form_of
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.guess import guess
from transactions.importing.mapping import Mapping
from transactions.importing.table import FileError, Moment, Number

COLUMNS = (
    "id", "created_at", "amount", "currency", "status",
    "account", "counterparty", "counterparty_account", "reference", "text",
)  # fmt: skip

ENTRY = (
    "<Ntry><NtryRef>n1</NtryRef><Amt Ccy='EUR'>1250.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
    "<Sts><Cd>BOOK</Cd></Sts>"
    "<BookgDt><Dt>2026-01-02</Dt></BookgDt><AcctSvcrRef>R1</AcctSvcrRef><NtryDtls><TxDtls>"
    "<Refs><EndToEndId>E1</EndToEndId></Refs><RltdPties><Dbtr><Pty><Nm>Anna</Nm></Pty></Dbtr>"
    "<DbtrAcct><Id><IBAN>DE1</IBAN></Id></DbtrAcct></RltdPties>"
    "<RmtInf><Ustrd>Invoice 1</Ustrd><Ustrd>thanks</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
)
BATCH = (
    "<Ntry><Amt Ccy='EUR'>30.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>PDNG</Sts>"
    "<ValDt><DtTm>2026-01-03T10:00:00+01:00</DtTm></ValDt><AcctSvcrRef>R2</AcctSvcrRef><NtryDtls>"
    "<TxDtls><Amt Ccy='EUR'>10.00</Amt><RltdPties><Cdtr><Nm>Bo</Nm></Cdtr></RltdPties></TxDtls>"
    "<TxDtls><Amt Ccy='EUR'>20.00</Amt></TxDtls></NtryDtls></Ntry>"
)


def camt(*entries: str, message: str = "053.001.08", statement: str = "Stmt", before: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{message}">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>1</MsgId></GrpHdr><{statement}><Acct><Id><IBAN>DE02</IBAN></Id></Acct>"
        f"{''.join(entries)}</{statement}></BkToCstmrStmt></Document>"
    ).encode()


OFX_HEAD = "OFXHEADER:100\r\nDATA:OFXSGML\r\nVERSION:102\r\nENCODING:USASCII\r\nCHARSET:1252\r\n\r\n"
OFX = (
    "<OFX><SIGNONMSGSRSV1><SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS><LANGUAGE>ENG</SONRS></SIGNONMSGSRSV1>\n"
    "<BANKMSGSRSV1><STMTTRNRS><TRNUID>0<STMTRS><CURDEF>USD<BANKACCTFROM><BANKID>1<ACCTID>99</BANKACCTFROM>\n"
    "<BANKTRANLIST><DTSTART>20260101\n"
    "<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260102120000.000[-5:EST]<TRNAMT>-12,50<FITID>F1"
    "<NAME>Müller &amp; Co<MEMO>\n"
    "</STMTTRN>\n"
    "<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260103<TRNAMT>+100.00<FITID>F2<PAYEE><NAME>Bob<CITY>X</PAYEE><MEMO>pay"
    "<CURRENCY><CURRATE>1<CURSYM>EUR</CURRENCY></STMTTRN>\n"
    "</BANKTRANLIST><LEDGERBAL><BALAMT>1<DTASOF>20260101</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n"
)
OFX_2 = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<?OFX OFXHEADER="200" VERSION="211"?>\n'
    "<OFX><CREDITCARDMSGSRSV1><CCSTMTTRNRS><CCSTMTRS><CURDEF>EUR</CURDEF><CCACCTFROM><ACCTID>77</ACCTID></CCACCTFROM>"
    "<BANKTRANLIST><STMTTRN><DTPOSTED>20260102093000</DTPOSTED><TRNAMT>-.5</TRNAMT><FITID>1</FITID><NAME>Café</NAME>"
    "<MEMO></MEMO><CHECKNUM/><REFNUM><![CDATA[a<b&c]]></REFNUM></STMTTRN></BANKTRANLIST></CCSTMTRS></CCSTMTTRNRS>"
    "</CREDITCARDMSGSRSV1></OFX>"
)
MT940 = (
    ":20:STARTUMS\n:25:10020030/1234567\n:28C:1/1\n:60F:C260101EUR1000,00\n"
    ":61:2601020102D50,25NTRFREF1//B1\n"
    ":86:166?00SEPA?20EREF+E1?21SVWZ+Rent January?30BANK?31DE123?32Anna Landlord\n"
    ":61:2601030103C100,NTRFNONREF//B2\n:86:Pay\n"
    ":62F:C260103EUR1049,75\n-\n"
)


def cells(content: bytes) -> list[tuple[str, ...]]:
    assert table_of(content, "statement").columns == COLUMNS
    rows = rows_of(content, "statement")
    assert [row.line for row in rows] == list(range(1, len(rows) + 1))
    assert [row.fault for row in rows if row.fault] == []
    # What an amount of OFX is, its column proves.
    assert {type(row.cells["amount"]) for row in rows} == {str if b"<OFX>" in content else Number}
    assert {type(row.cells["created_at"]) for row in rows} == {Moment}
    return [tuple(row.cells.values()) for row in rows]


# --- camt ------------------------------------------------------------------------------------


def test_camt_has_entries_and_of_a_batch_its_single_payments() -> None:
    assert cells(camt(ENTRY, BATCH)) == [
        ("R1", "2026-01-02", "1250.00", "EUR", "BOOK", "DE02", "Anna", "DE1", "E1", "Invoice 1 thanks"),
        ("R2-1", "2026-01-03T10:00:00+01:00", "-10.00", "EUR", "PDNG", "DE02", "Bo", "", "", ""),
        ("R2-2", "2026-01-03T10:00:00+01:00", "-20.00", "EUR", "PDNG", "DE02", "", "", "", ""),
    ]


def test_a_batch_whose_payments_do_not_make_its_amount_is_one_entry() -> None:
    (entry,) = cells(camt(BATCH.replace("20.00</Amt>", "21.00</Amt>")))
    assert entry[:3] == ("R2", "2026-01-03T10:00:00+01:00", "-30.00")


def test_reports_and_notices_have_the_same_entries_in_every_release() -> None:
    assert table_of(camt(ENTRY, message="053.001.02")).form == "camt.053"
    assert table_of(camt(ENTRY, message="052.001.06", statement="Rpt")).form == "camt.052"
    assert table_of(camt(ENTRY, message="054.001.08", statement="Ntfctn")).form == "camt.054"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (camt(ENTRY)[:-30], r"cut off or damaged \(ParseError\)"),
        (camt(), "a camt message without an entry"),
        (camt(ENTRY.replace("1250.00", "-5")), "entry 1: Amt is '-5'; digits with a point are expected"),
        (camt(ENTRY, ENTRY.replace("1250.00", "5²")), "entry 2: Amt is '5²'"),
        (camt(ENTRY.replace("1250.00", "NaN")), "entry 1: Amt is 'NaN'"),
        (camt(ENTRY.replace("CRDT", "PLUS")), "entry 1: CdtDbtInd is 'PLUS'; CRDT or DBIT is expected"),
        (camt(ENTRY, before="<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;'>]>"), r"\(EntitiesForbidden\)"),
        (camt(ENTRY, before="<!DOCTYPE a SYSTEM 'file:///etc/passwd'>").replace(b"Anna", b"&x;"), "damaged"),
        (camt(ENTRY.replace("Anna", "<a>" * 10_000)), "nested 60 deep"),
        (camt(ENTRY.replace("Anna", "A\0")), "damaged"),
        (camt(ENTRY).replace(b'"UTF-8"', b'"klingon"'), "damaged"),
        (camt(ENTRY).replace(b"Anna", b"\xff"), "damaged"),
    ],
)
def test_a_camt_statement_that_is_cut_off_or_hostile_is_refused_whole(content: bytes, told: str) -> None:
    with pytest.raises(FileError, match=told):
        table_of(content, "statement")


# --- OFX -------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_ofx_of_the_old_kind_need_not_close_its_fields(encoding: str) -> None:
    assert cells((OFX_HEAD + OFX).encode(encoding)) == [
        ("F1", "2026-01-02T12:00:00-05:00", "-12,50", "USD", "", "99", "Müller & Co", "", "", ""),
        ("F2", "2026-01-03", "+100.00", "EUR", "", "99", "Bob", "", "", "pay"),
    ]


def test_ofx_of_the_new_kind_is_xml() -> None:
    assert cells(OFX_2.encode()) == [
        ("1", "2026-01-02T09:30:00", "-.5", "EUR", "", "77", "Café", "", "a<b&c", "")
    ]


def test_accounts_of_one_file_are_kept_apart() -> None:
    second = OFX.replace("<OFX>", "").replace("<ACCTID>99", "<ACCTID>100").replace("<CURDEF>USD", "")
    both = OFX_HEAD + OFX.replace("</OFX>\n", "") + second
    assert [(each[3], each[5]) for each in cells(both.encode())] == [
        ("USD", "99"), ("EUR", "99"), ("", "100"), ("EUR", "100"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (OFX_HEAD + OFX[:-200], "the OFX file is cut off; it ends before </OFX>"),
        (OFX_HEAD + OFX.replace("</STMTTRN>", "", 1), "a transaction begins within another one"),
        (OFX_HEAD + OFX.replace("</BANKTRANLIST>", "", 1), "</STMTRS> ends what does not begin before it"),
        (OFX_HEAD + OFX + OFX, "damaged at character"),
        (OFX_HEAD + OFX.replace("<FITID>F1", "<FITID"), "damaged at character"),
        (
            OFX_HEAD + OFX.replace("-12,50", "twelve"),
            "entry 1: TRNAMT is 'twelve'; digits with a point or a comma",
        ),
        (OFX_HEAD + OFX.replace("-12,50", "5²"), "entry 1: TRNAMT is '5²'"),
        (
            OFX_HEAD + OFX.replace("<DTPOSTED>20260103", "<DTPOSTED>3 Jan"),
            "entry 2: DTPOSTED is '3 Jan'; YYYYMMDD",
        ),
        (OFX_HEAD + OFX.replace("STMTTRN>", "INVTRAN>"), "an OFX file without a transaction"),
        (OFX_HEAD + "<OFX>" + "<A>" * 200_000, "nested 60 deep"),
        (OFX_2.replace("<OFX>", '<!DOCTYPE a [<!ENTITY b "c">]><OFX>'), "has no document type"),
    ],
)
def test_an_ofx_file_that_is_cut_off_or_hostile_is_refused_whole(content: str, told: str) -> None:
    with pytest.raises(FileError, match=told):
        table_of(content.encode(), "statement")


@pytest.mark.parametrize(
    ("amounts", "right"),
    [
        (["12.50", "1,000", "-2,000"], [1250, 100_000, -200_000]),
        (["12,50", "1.000", "+2.000"], [1250, 100_000, 200_000]),
        (["1.234,50", "-0,5", "3"], [123_450, -50, 300]),
        (["1,234.50", "-.5", "3."], [123_450, -50, 300]),
        (["-12.50", "100.00"], [-1250, 10_000]),
    ],
)
def test_the_whole_column_of_ofx_proves_its_decimal_mark(amounts: list[str], right: list[int]) -> None:
    proof = MoneyProof("amount")
    found = [row.cells["amount"] for row in rows_of(ofx_of(amounts), "statement")]
    for line, cell in enumerate(found, start=1):
        proof.see(line, cell)
    form = form_of(proof.settled(Mapping(negative="refund")).mapping)
    assert [form.read(cell).smallest for cell in found] == right


def test_a_mark_of_ofx_that_may_separate_thousands_is_asked_about_and_two_are_refused() -> None:
    asked = guess(table_of(ofx_of(["1,000", "2,000"]), "statement"), Mapping(user="1", status="SUCCESS"))
    assert "mark" in [question.key for question in asked.open]
    with pytest.raises(ColumnError, match="mixes decimal marks"):
        guess(table_of(ofx_of(["1,50", "2.50"]), "statement"), Mapping(user="1", status="SUCCESS"))


def ofx_of(amounts: list[str]) -> bytes:
    entry = "<STMTTRN><DTPOSTED>20260103<TRNAMT>{}<FITID>F{}</STMTTRN>"
    entries = "".join(entry.format(amount, number) for number, amount in enumerate(amounts))
    return (OFX_HEAD + OFX.partition("<STMTTRN>")[0] + entries + "</BANKTRANLIST>").encode() + OFX.partition(
        "</BANKTRANLIST>"
    )[2].encode()


def test_an_ofx_file_of_any_size_is_not_held() -> None:
    with pytest.raises(FileError, match="an OFX file of more than 32 MiB; import it in parts"):
        table_of((OFX_HEAD + "<OFX>\n").encode() + b"<NAME>x\n" * (5 << 20), "statement")


# --- MT940 -----------------------------------------------------------------------------------


def test_mt940_has_entries_with_what_the_bank_says_of_them() -> None:
    told = [
        (
            "B1",
            "2026-01-02",
            "-50.25",
            "EUR",
            "",
            "10020030/1234567",
            "Anna Landlord",
            "DE123",
            "E1",
            "Rent January",
        ),
        ("B2", "2026-01-03", "100", "EUR", "", "10020030/1234567", "", "", "", "Pay"),
    ]
    swift = "{1:F01BANKDEFFXXXX}{2:I940BANKN}{4:\n" + MT940.removesuffix("-\n") + "-}{5:}\n"

    assert cells(MT940.encode()) == told
    assert cells(swift.replace("\n", "\r\n").encode("latin-1")) == told
    assert cells((MT940 + MT940).encode()) == told * 2


def test_a_reversal_of_a_credit_takes_money_away() -> None:
    content = MT940.replace("0103C100,", "0103RC100,").replace("EUR1049,75", "EUR849,75")
    assert [each[2] for each in cells(content.encode())] == ["-50.25", "-100"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (MT940[: MT940.index(":62F")], "the statement of line 1 is cut off: its closing balance"),
        (MT940 + MT940[: MT940.index(":62F")], "the statement of line 11 is cut off"),
        (MT940.replace("1049,75", "1049,70"), "opening balance and entries do not make the closing balance"),
        (MT940.replace(":61:2601030103C100,", ":61:rubbish"), "a line is not as MT940 has it"),
        (MT940.replace("C100,", "C1²0,"), "the statement of line 1"),
        (MT940.replace(":61:260103", ":61:269903"), "a line is not as MT940 has it"),
        (":20:A\n:25:1\n:60F:C260101EUR1,\n:62F:C260101EUR1,\n", "an MT940 file without an entry"),
    ],
)
def test_an_mt940_file_that_is_cut_off_or_not_understood_is_refused_whole(content: str, told: str) -> None:
    with pytest.raises(FileError, match=told):
        table_of(content.encode(), "statement")


def test_no_content_of_a_statement_gets_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cells(MT940.encode())
    with pytest.raises(FileError) as refused:
        table_of(MT940.replace(":61:2601030103C100,", ":61:secret").encode(), "statement")

    assert "secret" not in str(refused.value)
    assert caplog.records == []


# --- Whose they are -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [camt(ENTRY, BATCH), MT940.encode(), (OFX_HEAD + OFX.replace("-12,50", "-12.50")).encode()]
)
def test_the_other_side_is_the_customer_and_never_the_own_account(content: bytes) -> None:
    found = guess(table_of(content, "statement"), Mapping(negative="refund"))
    assert found.mapping.named["user"] == "counterparty"
    assert found.mapping.users == "name"


def test_of_a_statement_without_other_sides_it_is_asked_whose_it_is() -> None:
    content = camt(ENTRY.replace("<Nm>Anna</Nm>", ""), BATCH.replace("<Nm>Bo</Nm>", ""))
    found = guess(table_of(content, "statement"), Mapping(negative="refund"))
    assert "user" not in found.mapping.named
    assert "columns.user" in [question.key for question in found.open]


def test_an_account_that_every_row_of_many_has_is_asked_about() -> None:
    rows = [[f"T{number}", "DE02", "5.00", "paid"] for number in range(20)]
    found = guess(table(["id", "Account", "amount", "status"], *rows), Mapping())
    assert [question.key for question in found.open] == ["columns.user"]
    assert "Account" in [value for value, _ in found.open[0].choices]
