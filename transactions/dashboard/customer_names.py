"""The names of the customers whose transactions are live, which the websocket's frames tell by keys alone."""

import re
from typing import Any

from rest_framework import serializers

from ..reading import customers
from ..reading.parameters import Parameters, TextField

# So many are asked for at once.
KEYS_MAX = 100
KEYS = re.compile(r"[0-9]{1,18}(?:,[0-9]{1,18})*", re.ASCII)


class KeysField(serializers.Field[list[int], str, str, Any]):
    """Keys of customers, with commas between them."""

    default_error_messages = {
        "invalid": f"Expected up to {KEYS_MAX} keys of customers with commas between them, as in 7,12.",
    }

    def to_internal_value(self, data: str) -> list[int]:
        if not KEYS.fullmatch(data) or data.count(",") >= KEYS_MAX:
            self.fail("invalid")
        return [int(key) for key in data.split(",")]


class NamesParameters(Parameters[Any]):
    """`users`: the keys of customers; or `name`: the whole name of one. The answer is the same."""

    users = KeysField(default=list)
    name = TextField(default="")


def names_asked(asked: NamesParameters) -> dict[int, str]:
    """The names by key, of those that there are. Raises django.db.Error."""
    keys, name = asked.validated_data["users"], asked.validated_data["name"]
    if name and (key := customers.key_of(name)) is not None:
        keys = [*keys, key]
    return customers.names(keys) if keys else {}
