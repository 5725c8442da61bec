"""What columns are called: by other systems, and by what this one writes itself."""

import re
import unicodedata
from collections.abc import Collection, Sequence

# The admin's export of transactions, the API's list of them, and what a file of refused rows has besides.
OF_EXPORT = {
    "transaction_id", "user_id", "amount", "status", "created_at", "accepted_at", "stored_at", "settled_at",
}  # fmt: skip
OF_LIST = {"id", "transaction_id", "user", "amount", "status", "created_at"}
OF_REFUSALS = ("line", "code", "reason")
OWN_FIELDS = {
    "transaction_id": ("transaction_id",),
    "user": ("user_id", "user"),
    "amount": ("amount",),
    "status": ("status",),
    "created_at": ("created_at",),
}

# By field, whole names as `plain` has them, the likeliest first.
_NAMES = {
    "transaction_id": """
        transactionid txnid txid trxid transactionno transactionnumber transactionreference
        paymentid chargeid id fitid orderid ordernumber invoiceid invoiceno invoicenumber invoice
        endtoendid accountservicerreference entryreference bankreference receiptno receiptnumber reference
        referenceid referencenumber ref uuid transaktionsid transaktionscode belegnummer rechnungsnummer
        rechnungsnr rechnung bestellnummer auftragsnummer
    """,
    "user": """
        user userid username customer customerid customerno customernumber customeruniqueid nameorig
        client clientid member memberid payer payerid buyer buyerid accountid account accountnumber
        cardholder customeremail fromemailaddress fromemail buyeremail payeremail useremail email
        counterparty counterpartyname debtor payee partnername begünstigterzahlungspflichtiger
        auftraggeberempfänger auftraggeberbegünstigter beneficiaryoriginator zahlungspflichtiger
        namezahlungsbeteiligter naamtegenpartij ccnum cardnumber kunde kundennummer kundennr
        absenderemailadresse absender
        auftraggeber zahler
    """,
    "refund_user": """
        toemailaddress toemail toaddress namedest recipient recipientemail receiver receiveremail payee
        beneficiary empfängeremailadresse empfänger zahlungsempfänger zahlungsempfängerin begünstigter
    """,
    "amount": """
        amount transactionamount amt paymentamount paymentvalue gross grossamount total totalamount
        invoicetotal ordertotal grandtotal value sum price trnamt transactionamt betrag umsatz brutto montant
        importe bedrag importo valor kwota belopp
    """,
    "debit": """
        debit debits debitamount debitamt withdrawn withdrawal withdrawals withdrawalamt withdrawalamount
        paidout moneyout outflow soll debet belastung belastungen débit ausgang lastschrift
        cargo cargos addebito
    """,
    "credit": """
        credit credits creditamount creditamt deposit deposits depositamt depositamount paidin moneyin inflow
        haben gutschrift gutschriften crédit eingang abono abonos accredito
    """,
    "direction": """
        drcr crdr debitcredit creditdebit debitcreditindicator creditdebitindicator cdtdbtind direction
        sollhaben habensoll sollhabenkennzeichen sollhabenkz dc cd sh afbij bijaf sens sign vorzeichen
        debitcreditmark dcindicator dcmark indicator type transactiontype entrytype eventtype kind
    """,
    "status": "status transactionstatus paymentstatus state paymentstate result outcome zustand estado",
    "created_at": """
        createdat created createddate createdutc timestamp datetime transactiondatetime
        transactiontime transactiondate transactiondt paymentdate purchasetimestamp orderpurchasetimestamp
        invoicedate orderdate occurredat happenedat bookingdate bookeddate bookdate dtposted date
        when time valuedate entrydate completedat completiontime datum buchungstag buchungsdatum
        zeitpunkt fecha
    """,
    "time": "time timeofday clock transactiontime uhrzeit",
    "timezone": "timezone tz zone zeitzone",
    "currency": """
        currency ccy currencycode currencyiso curdef curr währung devise devises moneda divisa valuta waluta
        moeda valuutta měna munt
    """,
}
# Words of a longer name, as in "Total amount due": one of each set has to be there.
_WORDS: dict[str, tuple[set[str], ...]] = {
    "transaction_id": (
        {"transaction", "trans", "txn", "payment", "charge", "order", "invoice", "receipt"},
        {"id", "no", "nr", "num", "number", "ref", "reference", "code"},
    ),
    "user": ({"user", "customer", "client", "buyer", "payer", "member"},),
    "refund_user": ({"payee", "recipient", "receiver", "beneficiary", "empfanger", "begunstigter"},),
    "amount": ({"amount", "amt", "betrag", "umsatz", "gross", "total"},),
    "status": ({"status", "state"},),
    "created_at": ({"date", "datetime", "timestamp", "created", "datum"},),
    "currency": (
        {"currency", "ccy", "wahrung", "waehrung", "devise", "moneda", "divisa", "valuta", "waluta", "moeda"},
    ),
}
# Of a longer name, what says that it is of something else.
_NOT = {
    field: frozenset(words.split())
    for field, words in {
        "amount": """
            debit credit withdrawal deposit tax vat fee fees items quantity commission discount tip markup
            gebuhr gebuehr rate exchange balance saldo kurs currency ccy wahrung waehrung unit einzelpreis
            stuckpreis stueckpreis latitude longitude lat long lon score age quantity
        """,
        "currency": "rate conversion",
        "status": """
            payout card account merchant fulfillment fulfilment shipping shipment delivery dispute marital
            employment member membership kyc risk city country billing postal payer receiver
        """,
    }.items()
}
_IN_BRACKETS = re.compile(r"[(\[][^)\]]*[)\]]")
_NUMBER_BEHIND = re.compile(r" \([0-9]+\)$", re.ASCII)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Whose numbers are those of accounts, which are nobody's keys here.
_OF_ACCOUNTS = {
    "account",
    "accountid",
    "accountnumber",
    "acct",
    "acctid",
    "iban",
    "konto",
    "kontonummer",
    "card",
    "pan",
}
# Who sends the money of a row, whichever way it goes.
_PAYERS = {
    "from",
    "sender",
    "absender",
    "payer",
    "debtor",
    "auftraggeber",
    "zahler",
    "remitter",
    "zahlungspflichtige",
    "zahlungspflichtiger",
}
# The other side of a movement: beside it an account is the own one, which is nobody's here.
_OTHER_SIDE_TEXT = """
    counterparty counterpartyname payee payeename beneficiary gegenpartei partnername beneficiaryoriginator
    begunstigterzahlungspflichtiger beguenstigterzahlungspflichtiger auftraggeberempfanger
    auftraggeberempfaenger auftraggeberbegunstigter auftraggeberbeguenstigter namezahlungsbeteiligter
    naamtegenpartij
"""
_OTHER_SIDE = frozenset(_OTHER_SIDE_TEXT.split())
# By which means somebody pays, whose words may be those of sides too.
_MEANS_TEXT = "card funding method tender instrument wallet issuer brand scheme network"
_MEANS = frozenset(_MEANS_TEXT.split())
_KINDS_TEXT = """
    type kind typ art tipo operation vorgang buchungstext umsatztyp umsatzart buchungsart transaktionstyp
    mutatiesoort soort
"""
_KINDS = frozenset(_KINDS_TEXT.split())
_NO_KINDS_TEXT = "account user customer device currency file merchant product payment gender location"
_NO_KINDS = _MEANS | frozenset(_NO_KINDS_TEXT.split())
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "Ø": "O", "Ł": "L"})


def _folded(text: str) -> str:
    """Without accents: ä is a."""
    apart = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(each for each in apart if not unicodedata.combining(each))


def _spellings(names: str) -> tuple[str, ...]:
    """Each name without accents, and as it is written where there are none: wahrung, waehrung."""
    found = [each for name in names.split() for each in (_folded(name), _folded(name.translate(_UMLAUTS)))]
    return tuple(dict.fromkeys(found))


NAMES = {field: _spellings(names) for field, names in _NAMES.items()}


def plain(name: str) -> str:
    """A column's name as it is compared: letters and digits, without accents and what is in brackets."""
    return "".join(each for each in _folded(_IN_BRACKETS.sub("", name)).casefold() if each.isalnum())


def candidates(field: str, columns: Sequence[str]) -> tuple[list[str], list[str]]:
    """The columns that may be a field by whole names, the likeliest first; and those by words."""
    by_name = {name: place for place, name in enumerate(NAMES[field])}
    whole = [column for column in columns if plain(column) in by_name]
    whole.sort(key=lambda column: by_name[plain(column)])
    needed = _WORDS.get(field, ())
    partly = [column for column in columns if column not in whole and needed and _has(column, field, needed)]
    return whole, partly


def _has(column: str, field: str, needed: Sequence[Collection[str]]) -> bool:
    found = words(_IN_BRACKETS.sub("", column))
    return all(found.intersection(each) for each in needed) and not is_other(field, column)


def is_other(field: str, column: str) -> bool:
    """Whether a column's name says that it is of something else than a field which it may look like."""
    side = field == "amount" and plain(column) in {*NAMES["debit"], *NAMES["credit"]}
    # What stands in brackets is said of it: "amount (after fees)" is an amount.
    return side or bool(words(_IN_BRACKETS.sub("", column)) & _NOT.get(field, frozenset()))


def words(name: str) -> set[str]:
    """The words of a column's name, without accents and in small letters: amountDue has two."""
    return {word.lower() for word in _WORD.findall(_folded(name))}


def is_of_sides(column: str) -> bool:
    """Whether a column's name speaks of debits or credits."""
    return bool(words(column) & {*NAMES["debit"], *NAMES["credit"]})


def is_of_payers(column: str) -> bool:
    """Whether a column's name says that it has who sent the money: of a refund that is not the customer."""
    # "Payer / payee" is whoever the other side is, in refunds too.
    return bool(words(column) & _PAYERS) and plain(column) not in _OTHER_SIDE


def is_of_accounts(column: str) -> bool:
    """Whether a column's name says that it has accounts, whose numbers are no keys of users."""
    return bool({*words(column), plain(column)} & _OF_ACCOUNTS)


def is_of_cards(column: str) -> bool:
    """Whether its accounts are those of cards: these are of whoever pays."""
    return bool({*words(column), plain(column)} & {"card", "cards", "pan", "cardnumber", "ccnum"})


def twins(column: str, columns: Sequence[str]) -> list[str]:
    """The columns that bear one name, but for the number behind it that tells them apart."""
    bare = _NUMBER_BEHIND.sub("", column)
    found = [each for each in columns if _NUMBER_BEHIND.sub("", each) == bare]
    return found if bare in columns and len(found) > 1 else []


def is_of_kinds(column: str) -> bool:
    """Whether a column's name says that it has the kinds of rows: what happened, and not by which means."""
    found = words(column)
    if found & _NO_KINDS:
        return False
    return bool(found & _KINDS) or plain(column) in _KINDS or plain(column) in NAMES["direction"]


def is_of_means(column: str) -> bool:
    """Whether a column's name says by which means somebody pays: a debit card makes no debit."""
    return bool(words(column) & _MEANS)


def is_of_the_other_side(column: str) -> bool:
    """Whether a column's name says that it has the other side of what an account sends and receives."""
    return plain(column) in _OTHER_SIDE
