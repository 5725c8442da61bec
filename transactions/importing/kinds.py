"""Columns that say of which kind a row is: a debit although its amount has no minus, or no payment at all.

The first rows of a file may all be payments. So each row is looked at, and what would be taken for a payment
is asked about before anything is posted.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress

from .columns import sides
from .columns.money import taken_apart
from .columns.proofs import CellError, OpenQuestion, told
from .directions import may_tell
from .headers import is_of_kinds, words
from .keys import NONE_PASSED_OVER
from .mapping import Mapping

# Words of what a customer neither pays nor gets back: an account's own fees, what is paid out to its holder,
# what is only reserved, and lines that sum up others.
_NO_PAYMENTS_TEXT = """
    fee fees commission commissions payout payouts settlement reserve reserved hold void voided adjustment
    adjustments authorization authorisation auth conversion exchange total subtotal balance
    gebuhr gebuhren gebuehr gebuehren provision auszahlung auszahlungen reservierung saldo summe
    frais comision comisiones commissione commissioni
"""
_NO_PAYMENTS = frozenset(_NO_PAYMENTS_TEXT.split())
# Letters of a word for a kind; words of a column that are kept, and told.
LETTERS_MAX, WORDS_MAX, WORDS_TOLD_MAX = 60, 50, 3
WITHOUT_DIRECTION = "no column: a debit is an amount with a minus, and no other"


class KindsProof:
    """What columns that no field has say of rows: see each, then ask for `questions`."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping, named = mapping, mapping.named
        self._taken = {*named.values(), *mapping.skip}
        self._asks_direction = "direction" not in mapping.columns and "amount" in named
        self._amount = named.get("amount", "")
        # Columns that are called kinds, with the first line of each of their words.
        self._kinds: dict[str, dict[str, int]] = {}
        # Columns of whatever name that have had only words for debit and credit so far, and these words.
        self._sides: dict[str, set[str]] | None = None
        # By column the first row that is a debit by its word, and whose amount has no minus.
        self._debits: dict[str, tuple[int, str]] = {}

    def see(self, line: int, cells: dict[str, str]) -> None:
        if self._sides is None:
            self._begin(cells)
        unsigned = self._asks_direction and self._is_unsigned(cells)
        for column, known in self._kinds.items():
            word = cells[column].strip()
            if word and len(word) <= LETTERS_MAX and len(known) < WORDS_MAX:
                known.setdefault(word, line)
            if unsigned and column not in self._debits and sides.is_debit(word):
                self._debits[column] = line, word
        if self._asks_direction and self._sides:
            self._see_sides(line, cells, unsigned)

    def _begin(self, cells: Collection[str]) -> None:
        free = [each for each in cells if each not in self._taken]
        self._kinds = {each: {} for each in free if is_of_kinds(each)}
        self._sides = {each: set() for each in free if each not in self._kinds and may_tell(each, free)}

    def _see_sides(self, line: int, cells: dict[str, str], unsigned: bool) -> None:
        assert self._sides
        for column in [*self._sides]:
            if not (word := cells[column].strip()):
                continue
            if not sides.is_side(word):
                del self._sides[column]
                continue
            self._sides[column].add(word)
            if unsigned and column not in self._debits and sides.is_debit(word):
                self._debits[column] = line, word

    def _is_unsigned(self, cells: dict[str, str]) -> bool:
        with suppress(CellError):
            parts = taken_apart(cells[self._amount])
            return not parts.negative and bool(parts.number.strip("0.,"))
        return False

    def questions(self) -> Iterator[OpenQuestion]:
        """Which rows are debits, if nobody said so; and which are no payments."""
        for column, (line, word) in self._debits.items():
            if (column in self._kinds and may_tell(column, self._kinds)) or self._are_sides(column):
                why = (
                    f"Column “{column}” says {told(word)} on line {line}, where the amount has no minus: it "
                    "may be money that went the other way."
                )
                own = (column, f"column “{column}”: its debits are negative, other words are refused")
                yield OpenQuestion("columns.direction", why, (own, ("", WITHOUT_DIRECTION)))
                break
        for column, known in self._kinds.items():
            if found := [word for word in known if words(word) & _NO_PAYMENTS]:
                yield _about_no_payments(column, found, known)

    def _are_sides(self, column: str) -> bool:
        return column in (self._sides or {}) and sides.say_sides((self._sides or {})[column])


def _about_no_payments(column: str, found: list[str], lines: dict[str, int]) -> OpenQuestion:
    some = ", ".join(f"line {lines[word]}: {told(word)}" for word in found[:WORDS_TOLD_MAX])
    more = f" and {len(found) - WORDS_TOLD_MAX:,} more words" if len(found) > WORDS_TOLD_MAX else ""
    why = f"Column “{column}” has kinds of rows that may be no payments ({some}{more})."
    passed = ",".join(word for word in found if "," not in word)
    choices = ((passed, "pass these rows over"),) if passed else ()
    none = (NONE_PASSED_OVER, "they are transactions like all others")
    return OpenQuestion(f"skip.{column}", why, (*choices, none))
