"""The fast look at JSON: takes the records that are plainly right, and leaves the rest to the serializer.

Whatever this takes, RecordSerializer would take too, with the same values (a property test holds
the two together); of everything else the serializer's answer is final.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from rest_framework.exceptions import ParseError

from ..models import AMOUNT_MAX, TRANSACTION_ID_CHARACTERS_MAX
from ..queue.records import Record
from ..serializers import AHEAD_MAX, USER_MAX

# Numbers may come as strings of digits, no longer than those of 2^63 - 1.
_Digits = Annotated[str, msgspec.Meta(min_length=1, max_length=19)]


class _Plain(msgspec.Struct, gc=False):
    transaction_id: Annotated[str, msgspec.Meta(min_length=1, max_length=TRANSACTION_ID_CHARACTERS_MAX)]
    user: Annotated[int, msgspec.Meta(gt=0, le=USER_MAX)] | _Digits
    amount: Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)] | _Digits
    status: Literal["PENDING", "SUCCESS", "FAILED"] = "PENDING"
    created_at: str | None = None


_ONE = msgspec.json.Decoder(_Plain)
_MANY = msgspec.json.Decoder(list[_Plain])
_PIECES = msgspec.json.Decoder(list[msgspec.Raw])
_MISFITS = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


class TooDeep(ParseError):
    """JSON parse error - nested too deep"""

    default_detail = "JSON parse error - nested too deep"


def record(body: bytes | msgspec.Raw) -> Record | None:
    """The record that `body` plainly is, None where the serializer has to look."""
    try:
        plain = _ONE.decode(body)
    except _MISFITS:
        return None
    return _checked(plain)


def records(body: bytes, read: Callable[[bytes], Any]) -> Sequence[Any] | None:
    """The items of a JSON array: a Record for each that is plainly right, else what `read` makes of
    its bytes (or the ParseError that it raises). None where `body` is no JSON array, or too deep.
    """
    try:
        plain = _MANY.decode(body)
    except _MISFITS:
        try:
            pieces = _PIECES.decode(body)
        except _MISFITS:
            return None
        items = each(pieces, read)
        # The depth of one item is that of the document.
        return None if any(isinstance(item, TooDeep) for item in items) else items
    found = list(map(_checked, plain))
    if None in found:
        return each(_PIECES.decode(body), read)
    return found


def each(pieces: Iterable[bytes | msgspec.Raw], read: Callable[[bytes], Any]) -> list[Any]:
    """The same, of documents that are apart already: lines of NDJSON, or the items of an array."""
    items: list[Any] = []
    for piece in pieces:
        item: Any = record(piece)
        if item is None:
            try:
                item = read(bytes(piece))
            except ParseError as error:
                item = error
        items.append(item)
    return items


def _checked(plain: _Plain) -> Record | None:
    id, user, amount, given = plain.transaction_id, plain.user, plain.amount, plain.created_at
    if isinstance(user, str):
        if not (user.isascii() and user.isdigit() and 0 < int(user) <= USER_MAX):
            return None
        user = int(user)
    if isinstance(amount, str):
        if not (amount.isascii() and amount.isdigit() and int(amount) <= AMOUNT_MAX):
            return None
        amount = int(amount)
    # Printable text has no control characters, and no white space but the space.
    if not id.isprintable() or id[0] == " " or id[-1] == " ":
        return None
    moment: datetime | None = None
    if given is not None:
        # Only the plain forms of ISO 8601, which is what almost everybody sends.
        if len(given) < 20 or given[10] != "T":
            return None
        try:
            moment = datetime.fromisoformat(given)
            if moment.tzinfo is None:
                return None
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None
        if moment > datetime.now(UTC) + AHEAD_MAX:
            return None
    return Record(id, user, amount, plain.status, moment)
