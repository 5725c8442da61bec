"""What the keys of a mapping are called on pages: their fields' labels, which messages name too."""

LABELS = {
    "columns.amount": "Column of the amount",
    "columns.debit": "Column of debits alone",
    "columns.credit": "Column of credits alone",
    "columns.direction": "Column that says debit or credit",
    "columns.currency": "Column of the currency",
    "columns.transaction_id": "Column of the id",
    "columns.user": "Column of the customer",
    "columns.refund_user": "Column of who is paid, for negative amounts",
    "columns.status": "Column of the status",
    "columns.created_at": "Column of the date",
    "columns.time": "Column of the time of the day",
    "columns.timezone": "Column of the time zone",
    "decimals": "Decimals of the file’s amounts",
    "mark": "Decimal mark",
    "unit": "A number without decimals counts",
    "negative": "A negative amount is",
    "currency": "Currency",
    "ids": "Ids",
    "id_parts": "Further columns of the id",
    "users": "The customer's column has",
    "user": "One customer for all rows",
    "status": "Where none is said",
    "dates": "How dates are written",
    "since": "Dates that count begin at",
    "timezone": "Time zone of times without one",
    "guarded": "Cells with an apostrophe in front",
    "header": "Line of the header",
    "sheet": "Sheet",
    "member": "File in the zip",
    "delimiter": "Delimiter",
    "encoding": "Encoding",
}

# Of keys whose field is a list of words, what it says for each value.
USERS = {"key": "numbers of customers", "name": "names"}


def label_of(key: str) -> str:
    """The label of a key's field, also of a status's word and of a column by which rows are passed over."""
    table, _, name = key.partition(".")
    if table == "statuses":
        return f"“{name}” is"
    if table == "skip":
        return f"Words of “{name}” with which a row is passed over"
    if table == "refunds":
        return f"Words of “{name}” with which an amount without a minus is a refund"
    return LABELS.get(key, key)


def as_field(key: str, value: str | None = None) -> str:
    """A key as a message on a page names it, with a value if one is told."""
    label = label_of(key)
    quoted = label if label.startswith("“") else f"“{label}”"
    if value is None:
        return quoted
    return f"{quoted}: {(USERS.get(value, value) if key == 'users' else value) or 'none'}"
