"""What columns are called: by other systems, and by what this one writes itself."""

import re
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
        endtoendid accountservicerreference entryreference bankreference reference referenceid
        referencenumber ref uuid transaktionsid transaktionscode belegnummer rechnungsnummer
        rechnungsnr bestellnummer auftragsnummer
    """,
    "user": """
        user userid username customer customerid customerno customernumber customeruniqueid nameorig
        client clientid member memberid payer payerid buyer buyerid accountid account accountnumber
        cardholder customeremail fromemailaddress buyeremail payeremail useremail email counterparty
        debtor payee kunde kundennummer kundennr
    """,
    "amount": """
        amount transactionamount amt paymentamount paymentvalue gross grossamount total totalamount
        invoicetotal ordertotal grandtotal value sum price trnamt betrag umsatz brutto montant
        importe bedrag
    """,
    "status": "status transactionstatus paymentstatus state paymentstate result outcome zustand",
    "created_at": """
        createdat created createddate createdutc timestamp datetime transactiondatetime
        transactiontime transactiondate paymentdate purchasetimestamp orderpurchasetimestamp
        invoicedate orderdate occurredat happenedat bookingdate bookeddate bookdate dtposted date
        when time valuedate entrydate completedat datum buchungstag buchungsdatum zeitpunkt
    """,
    "time": "time timeofday clock transactiontime uhrzeit",
    "timezone": "timezone tz zone zeitzone",
    "currency": "currency ccy currencycode curdef wahrung waehrung devise",
}
NAMES = {field: tuple(names.split()) for field, names in _NAMES.items()}
# Words of a longer name, as in "Total amount due": one of each set has to be there.
_WORDS: dict[str, tuple[set[str], ...]] = {
    "transaction_id": (
        {"transaction", "txn", "payment", "charge", "order", "invoice"},
        {"id", "no", "nr", "number", "ref", "reference", "code"},
    ),
    "user": ({"user", "customer", "client", "buyer", "payer", "member"},),
    "amount": ({"amount", "betrag", "gross", "total"},),
    "status": ({"status", "state"},),
    "created_at": ({"date", "datetime", "timestamp", "created", "datum"},),
}
_IN_BRACKETS = re.compile(r"[(\[][^)\]]*[)\]]")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def plain(name: str) -> str:
    """A column's name as it is compared: its letters and digits, without what stands in brackets."""
    return "".join(each for each in _IN_BRACKETS.sub("", name).casefold() if each.isalnum())


def candidates(field: str, columns: Sequence[str]) -> list[str]:
    """The columns that may be a field by their names, the likeliest first."""
    by_name = {name: place for place, name in enumerate(NAMES[field])}
    whole = [column for column in columns if plain(column) in by_name]
    whole.sort(key=lambda column: by_name[plain(column)])
    needed = _WORDS.get(field, ())
    partly = [column for column in columns if column not in whole and needed and _has(column, needed)]
    return whole + partly


def _has(column: str, needed: Sequence[Collection[str]]) -> bool:
    words = {word.lower() for word in _WORD.findall(column)}
    return all(words.intersection(each) for each in needed)
