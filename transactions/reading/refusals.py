"""Rejected records that nobody had taken again, as the list and the search find them: both the same ones."""

from typing import Any

from ..models import RejectedRecord, Transaction
from ..queue.records import read_line
from ..tables import TRANSACTIONS
from . import detail
from .detail import Unstored

# Purpose: of the newest rejected records those whose id has a part, then those that hold it in their bytes.
# None that was taken again, or is stored all the same.
WITH_PART = f"""
    SELECT * FROM (SELECT newest.*, {{parts}} AS by_id,
                          position(convert_to(%s, 'UTF8') IN raw) > 0 AS by_bytes
                     FROM (SELECT * FROM {RejectedRecord._meta.db_table} WHERE resolution <> 'REPLAYED'
                            ORDER BY id DESC LIMIT %s) newest) looked_at
     WHERE (by_id OR by_bytes OR id = %s)
       AND NOT EXISTS (SELECT FROM {TRANSACTIONS} t WHERE t.transaction_id = looked_at.transaction_id)
     ORDER BY by_id DESC, id DESC LIMIT %s
"""


def newest(most: int) -> Unstored:
    """What the `most` newest hold that was not taken again, nor stored. Raises django.db.Error."""
    records = list(RejectedRecord.objects.exclude(resolution="REPLAYED").order_by("-id")[: most + 1])
    ids = {record.transaction_id for record in records[:most]} - {""}
    named = Transaction.objects.filter(transaction_id__in=ids)
    stored = set(named.values_list("transaction_id", flat=True)) if ids else set()
    left = [record for record in records[:most] if record.transaction_id not in stored]
    shown = [found.shown for record in left if (found := detail.refused(record)) is not None]
    return Unstored(shown, len(records) <= most, len(left) - len(shown))


def with_part(
    parts: str, patterns: list[str], text: str, number: int | None, most: int, found_max: int
) -> list[dict[str, Any]]:
    """The transactions in the `most` newest whose id has a part, by the condition `parts` and its `patterns`;
    of several of one id the newest. Then those that hold no transaction and have `text` in their bytes, or
    are numbered so: each its number as `record`, and no user. Raises django.db.Error.
    """
    parameters = [*patterns, text, most, number, found_max]
    records = list(RejectedRecord.objects.raw(WITH_PART.format(parts=parts), parameters))
    readable = detail.refusals_of(record for record in records if record.by_id)  # type: ignore[attr-defined]
    unreadable = [record for record in records if read_line(bytes(record.raw)) is None]
    return [
        *readable,
        *(
            {
                "record": record.pk,
                "transaction_id": record.transaction_id,
                "rejected": record.reason,
                "rejected_at": record.rejected_at,
                "user": None,
            }
            for record in unreadable
        ),
    ]
