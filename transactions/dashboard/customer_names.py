"""The names of customers: of those whom the websocket's frames tell by keys alone, and of those who may be
meant by what somebody types into a filter.
"""

import re
from typing import Any

from rest_framework import serializers

from ..reading import customers
from ..reading.parameters import Parameters, TextField
from ..reading.search import Search

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
    """`users`: the keys of customers; `name`: the whole name of one; `part`: of some names, or a number.

    The answer is the same.
    """

    users = KeysField(default=list)
    name = TextField(default="")
    part = TextField(default="")


def names_asked(asked: NamesParameters) -> dict[int, str]:
    """The names by key, of those that there are. Raises django.db.Error."""
    keys, name, part = (asked.validated_data[each] for each in ("users", "name", "part"))
    if part:
        keys = [*keys, *(row["id"] for row in Search(part).customers().rows)]
    if name and (key := customers.key_of(name)) is not None:
        keys = [*keys, key]
    return customers.names(keys) if keys else {}
