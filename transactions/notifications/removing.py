"""Deliveries that are old, or whose endpoint goes, removed with their logs: so many in a transaction."""

from django.db import connection, transaction

from .models import Attempt, Delivery

DELIVERY, ATTEMPT = Delivery._meta.db_table, Attempt._meta.db_table

# Deliveries that are removed in one transaction: some 50 ms.
AT_ONCE = 2_000

# Purpose: some of what goes, held, so that nothing is noted of it meanwhile.
HOLD_OF_MESSAGES = f"""
    SELECT id FROM {DELIVERY} WHERE message_id = ANY(%s) ORDER BY message_id, id LIMIT {AT_ONCE} FOR UPDATE
"""
HOLD_OF_ENDPOINT = f"SELECT id FROM {DELIVERY} WHERE endpoint_id = %s ORDER BY id LIMIT {AT_ONCE} FOR UPDATE"
REMOVE = f"""
    DELETE FROM {ATTEMPT} WHERE delivery_id = ANY(%(gone)s); DELETE FROM {DELIVERY} WHERE id = ANY(%(gone)s)
"""


def of_messages(messages: list[int]) -> None:
    """Removes what became of messages. Raises django.db.Error: then the rest is there still."""
    _remove(HOLD_OF_MESSAGES, messages)


def of_endpoint(endpoint: int) -> None:
    """Removes the log of an endpoint. Raises django.db.Error: then the rest is there still."""
    _remove(HOLD_OF_ENDPOINT, endpoint)


def _remove(hold: str, key: list[int] | int) -> None:
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(hold, [key])
            gone = [delivery for (delivery,) in cursor.fetchall()]
            if not gone:
                return
            cursor.execute(REMOVE, {"gone": gone})
