"""Files of as many columns as there may be: what they mean is guessed in a time that grows with these."""

import time

from tests.importing.tables import table
from transactions.importing.forms.columns import COLUMNS_MAX
from transactions.importing.guess import guess
from transactions.importing.mapping import Mapping

# A guess takes a fraction of it; where each column was held beside each other it took minutes.
GUESS_S_MAX = 20.0


def test_a_thousand_columns_of_kinds_are_looked_at_at_once() -> None:
    kinds = [f"type {number}" for number in range(COLUMNS_MAX - 4)]
    rows = [[f"P{n}", "7", "5.00", "paid", *["fee"] * len(kinds)] for n in range(12)]
    began = time.monotonic()
    found = guess(table(["id", "user", "amount", "status", *kinds], *rows), Mapping())
    assert time.monotonic() - began < GUESS_S_MAX
    assert {each.key for each in found.open} == {f"skip.{name}" for name in kinds}
