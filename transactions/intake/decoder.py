"""The fast look at JSON: takes the records that are plainly right, and leaves the rest to the serializer.

Whatever this takes, RecordSerializer would take too, with the same values (a property test holds
the two together); of everything else the serializer's answer is final.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from django.conf import settings
from msgspec import UNSET, UnsetType
from rest_framework.exceptions import ParseError

from .. import money
from ..encodings import may_show_something
from ..fields import AHEAD_MAX, MOMENT, USER_MAX, earliest
from ..models import AMOUNT_MAX, TRANSACTION_ID_CHARACTERS_MAX
from ..queue.records import Record

# Numbers may come as strings of digits, no longer than those of 2^63 - 1.
_Digits = Annotated[str, msgspec.Meta(min_length=1, max_length=19)]


class _Plain(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    transaction_id: Annotated[str, msgspec.Meta(min_length=1, max_length=TRANSACTION_ID_CHARACTERS_MAX)]
    # As floats too, so that 12.00 is told from 12: into an int alone msgspec would read both.
    user: Annotated[int, msgspec.Meta(gt=0, le=USER_MAX)] | float | _Digits
    amount: Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)] | float | _Digits
    status: Literal["PENDING", "SUCCESS", "FAILED"] | UnsetType = UNSET
    created_at: str | UnsetType | None = UNSET
    currency: str | UnsetType = UNSET

    def quotes(self) -> int:
        """The quotation marks that the record takes as JSON, if each of its names stands there once.

        msgspec keeps the last of repeated names. Each repetition has two marks more, however it is spelled.
        """
        marks = 8 + 2 * (isinstance(self.user, str) + isinstance(self.amount, str))
        if self.status is not UNSET:
            marks += 4
        if self.created_at is not UNSET:
            marks += 4 if self.created_at is not None else 2
        if self.currency is not UNSET:
            marks += 4
        return marks


# In bytes: a single record as it is posted, whatever its form, and one of a batch that is not plainly right.
RECORD_BYTES_MAX = 64 * 1024
ITEM_BYTES_MAX = 16 * 1024

# The quotation marks of a record of an id, a user, an amount and a status, both numbers as such.
COMMON_QUOTES = 12

_ONE = msgspec.json.Decoder(_Plain)
_MANY = msgspec.json.Decoder(list[_Plain])
_PIECES = msgspec.json.Decoder(list[msgspec.Raw])
_MISFITS = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


class TooDeep(ParseError):
    """JSON parse error - nested too deep"""

    default_detail = "JSON parse error - nested too deep"


def record(body: bytes) -> Record | None:
    """The record that `body` plainly is, None where the serializer has to look."""
    try:
        plain = _ONE.decode(body)
    except _MISFITS:
        return None
    return _checked(plain) if body.count(b'"') == plain.quotes() else None


def records(body: bytes) -> list[Record] | None:
    """The records of a JSON array all of whose items are plainly right, else None."""
    try:
        plain = _MANY.decode(body)
    except _MISFITS:
        return None
    found: list[Record] = []
    quotes = 0
    for one in plain:
        id, user, amount, status = one.transaction_id, one.user, one.amount, one.status
        # As most are, looked at in place: two calls for each would take longer than all else here.
        if (
            type(user) is int is type(amount)
            and status is not UNSET
            and one.created_at is UNSET is one.currency
            and id.isascii()
            and id.isprintable()
            and id[0] != " " != id[-1]
        ):
            quotes += COMMON_QUOTES
            found.append(tuple.__new__(Record, (id, user, amount, status, None)))
            continue
        checked = _checked(one)
        if checked is None:
            return None
        quotes += one.quotes()
        found.append(checked)
    return found if body.count(b'"') == quotes else None


def pieces(body: bytes) -> list[bytes] | None:
    """The items of a JSON array, each as its bytes; None where `body` is none, or too deep."""
    try:
        return [bytes(piece) for piece in _PIECES.decode(body)]
    except _MISFITS:
        return None


def each(documents: Iterable[bytes], read: Callable[[bytes], Any]) -> Iterable[Any]:
    """Of JSON documents, one by one: a Record of one that is plainly right, else what `read` makes of
    it, or the ParseError that it raises. One that is longer than a transaction can be is not read.
    """
    for document in documents:
        item: Any = record(document)
        if item is None and len(document) > ITEM_BYTES_MAX:
            item = ParseError(f"Too long: a transaction has at most {ITEM_BYTES_MAX:,} bytes.")
        elif item is None:
            try:
                item = read(document)
            except ParseError as error:
                item = error
        yield item


def _checked(plain: _Plain) -> Record | None:
    id, user, amount, given = plain.transaction_id, plain.user, plain.amount, plain.created_at
    if not isinstance(user, int):
        if not (isinstance(user, str) and user.isascii() and user.isdigit() and 0 < int(user) <= USER_MAX):
            return None
        user = int(user)
    if not isinstance(amount, int):
        if not (
            isinstance(amount, str) and amount.isascii() and amount.isdigit() and int(amount) <= AMOUNT_MAX
        ):
            return None
        amount = int(amount)
    if plain.currency is not UNSET and plain.currency != money.code():
        return None
    # Printable text has no control characters, and no white space but the space.
    if not id.isprintable() or id[0] == " " or id[-1] == " ":
        return None
    if not id.isascii() and not may_show_something(id):
        return None
    moment: datetime | None = None
    if given is not None and given is not UNSET:
        if not MOMENT.fullmatch(given):
            return None
        try:
            moment = datetime.fromisoformat(given)
            if moment.tzinfo is None:
                return None
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None
        if moment > datetime.now(UTC) + AHEAD_MAX or moment < earliest(settings.EARLIEST_CREATED_AT):
            return None
    status = "PENDING" if plain.status is UNSET else plain.status
    # As Record(...) does, without a call in between: that is a fifth of what a record of a batch takes here.
    return tuple.__new__(Record, (id, user, amount, status, moment))
