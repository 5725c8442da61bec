"""Columns that say of which kind a row is: a debit although its amount has no minus, or no payment at all.

The first rows of a file may all be payments. So each row is looked at, and what would be taken for a payment
is asked about before anything is posted: each kind but those that are known to be payments.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import lru_cache
from operator import itemgetter

from .columns import sides
from .columns.money import taken_apart
from .columns.proofs import CellError, OpenQuestion, told
from .directions import may_tell
from .headers import is_of_kinds, words
from .keys import NONE_PASSED_OVER
from .mapping import Mapping
from .wording import said

# Words of what a customer neither pays nor gets back: an account's own fees, what is paid out to its holder,
# what is moved or only reserved, what came to nothing, and lines that sum up others.
_NO_PAYMENTS_TEXT = """
    fee fees commission commissions payout payouts settlement reserve reserved hold void voided adjustment
    adjustments authorization authorisation auth conversion convert exchange total subtotal balance
    transfer transfers withdrawal withdrawals request requested failed failure declined canceled cancelled
    cancellation
    gebuhr gebuhren gebuehr gebuehren provision auszahlung auszahlungen reservierung saldo summe
    frais comision comisiones commissione commissioni
"""
_NO_PAYMENTS = frozenset(_NO_PAYMENTS_TEXT.split())
# Of what goes back: beside an amount without a minus it is one that lacks it.
_REFUNDS_TEXT = """
    refund refunds refunded return returns returned reversal reversals reversed chargeback chargebacks back
    clawback dispute disputed repayment note storno stornierung erstattung ruckerstattung rueckerstattung
    ruckbuchung rueckbuchung rucklastschrift ruecklastschrift retoure remboursement reembolso devolucion
    rimborso storni terugbetaling
"""
_REFUNDS = frozenset(_REFUNDS_TEXT.split())
# What may stand beside one of them in a cell that says nothing else, whatever its column is called.
_BESIDE_REFUNDS = _REFUNDS | {"partial", "full", "issued", "credit", "charge", "money", "customer", "payment"}
_PAYMENTS_TEXT = """
    payment payments pay paid charge charges sale sales purchase purchases order orders invoice invoices
    checkout capture captured settle settled subscription subscriptions donation donations topup
    incoming received zahlung zahlungen kartenzahlung bezahlung kauf einkauf verkauf
    bestellung rechnung paiement achat vente pago compra venta pagamento acquisto vendita
    betaling aankoop verkoop
"""
_PAYMENTS = frozenset(_PAYMENTS_TEXT.split())
# How one pays, which says nothing of the way that the money goes. Whatever else stands beside a payment may:
# what is sent, bounced, or paid to a supplier.
_WAYS_TEXT = """
    a an the by with via of in for and card cards credit bank cash mobile online web app store pos
    terminal contactless e commerce ecommerce internet recurring instant express direct
    merchant customer single new completed successful mit karte bar per par carte en ligne con tarjeta carta
"""
_WAYS = frozenset(_WAYS_TEXT.split())
# Of these the way alone is a payment's.
_TERMINALS = ({"pos"}, {"contactless"}, {"e", "commerce"}, {"ecommerce"})
# Words of a column that are kept, and told.
WORDS_MAX, WORDS_TOLD_MAX = 50, 3
# Letters of a cell that says nothing but that money goes back.
REFUND_MAX = 30
WITHOUT_DIRECTION = "no column: a debit is an amount with a minus, and no other"


class KindsProof:
    """What columns that no field has say of rows: see each, then ask for `questions`."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping, named = mapping, mapping.named
        self._taken = set(named.values())
        self._asks_direction = "direction" not in mapping.columns and "amount" in named
        self._amount = named.get("amount", "")
        # Columns that are called kinds; of each the first line of its words that may be no payments, and of
        # those that say of an amount without a minus that it goes back.
        self._kinds: dict[str, dict[str, int]] = {}
        self._backs: dict[str, dict[str, int]] = {}
        # Columns of other names: of these only cells count that say nothing but that money goes back.
        self._others: list[str] = []
        # Of these columns, those that have had other words than for debit and credit, those that have named
        # payments, and those that have named debits. Of each the first line of its words for credit.
        self._worded: set[str] = set()
        self._paying: set[str] = set()
        self._debiting: set[str] = set()
        self._credits: dict[str, dict[str, int]] = {}
        # Columns of whatever name that have had only words for debit and credit so far, and these words.
        self._sides: dict[str, set[str]] | None = None
        # By column the first row that is a debit by its word, and whose amount has no minus.
        self._debits: dict[str, tuple[int, str]] = {}

    def see(self, line: int, cells: dict[str, str]) -> None:
        if self._sides is None:
            self._begin(cells)
        unsigned = bool(self._amount) and self._is_unsigned(cells)
        for column in self._kinds:
            if word := cells[column].strip():
                self._see_kind(line, column, word, unsigned)
        if unsigned:
            self._see_others(line, cells)
        if self._asks_direction and self._sides:
            self._see_sides(line, cells, unsigned)

    def _see_others(self, line: int, cells: dict[str, str]) -> None:
        for column in self._others:
            cell = cells[column]
            if _says_refund(cell) and (word := cell.strip()) not in self._mapping.refunds.get(column, ()):
                _keep(self._backs.setdefault(column, {}), word, line)

    def _see_kind(self, line: int, column: str, word: str, unsigned: bool) -> None:
        is_side, is_debit, pays = sides.is_side(word), sides.is_debit(word), is_payment(word)
        if not is_side:
            self._worded.add(column)
        if pays or not is_side:
            self._paying.add(column)
        if unsigned and self._asks_direction and is_debit:
            self._debits.setdefault(column, (line, word))
        if word in self._mapping.refunds.get(column, ()):
            return
        found = words(word)
        if is_debit and not found & _REFUNDS:
            self._debiting.add(column)
        # Where somebody has said that no column tells debits, such a word is answered.
        goes_back = self._asks_direction if is_debit else bool(found & _REFUNDS)
        if unsigned and goes_back and not found & _NO_PAYMENTS:
            _keep(self._backs.setdefault(column, {}), word, line)
        elif found & _NO_PAYMENTS or (unsigned and not is_side and not pays):
            _keep(self._kinds[column], word, line)
        elif unsigned and is_side and not is_debit and not pays:
            _keep(self._credits.setdefault(column, {}), word, line)

    def _begin(self, cells: Collection[str]) -> None:
        # Of columns that stand for something else no word is asked about.
        free = [each for each in cells if each not in self._taken and each not in self._mapping.skip]
        self._kinds = {each: {} for each in free if is_of_kinds(each)}
        self._others = [each for each in free if each not in self._kinds]
        self._sides = {each: set() for each in self._others if may_tell(each)}

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
            if self._is_kind_of_sides(column) or self._are_sides(column):
                self._backs.pop(column, None)
                self._kinds.pop(column, None)
                why = (
                    f"Column “{column}” says {told(word)} on line {line}, where the amount has no minus: it "
                    "may be money that went the other way."
                )
                own = (column, f"column “{column}”: its debits are negative, other words are refused")
                yield OpenQuestion("columns.direction", why, (own, ("", WITHOUT_DIRECTION)))
                break
        for column, lines in self._backs.items():
            if column not in self._mapping.refunds:
                yield _about_refunds(column, lines)
        for column, lines in self._kinds.items():
            # A credit is money that comes in where debits stand beside it; among sales it may go back.
            if column in self._paying - self._debiting:
                lines = dict(sorted((lines | self._credits.get(column, {})).items(), key=itemgetter(1)))
            if lines:
                yield _about_no_payments(column, lines)

    def _is_kind_of_sides(self, column: str) -> bool:
        return column in self._kinds and column not in self._worded and may_tell(column)

    def _are_sides(self, column: str) -> bool:
        return column in (self._sides or {}) and sides.say_sides((self._sides or {})[column])


def is_payment(word: str) -> bool:
    """Whether a word for a kind is known to be one of payments."""
    found = words(word)
    known = (found & _PAYMENTS and found <= _PAYMENTS | _WAYS) or found in _TERMINALS
    return bool(known) and not (sides.is_debit(word) or found & (_REFUNDS | _NO_PAYMENTS))


# Most cells of a column that repeats itself are looked at once.
@lru_cache(maxsize=4096)
def _says_refund(cell: str) -> bool:
    found = words(cell) if len(cell) <= REFUND_MAX else set()
    return (
        bool(found & _REFUNDS - {"back", "note"} or {"credit", "note"} == found) and found <= _BESIDE_REFUNDS
    )


def _keep(known: dict[str, int], word: str, line: int) -> None:
    # One more than are told: of more than that nobody is offered to state them all.
    if len(known) <= WORDS_MAX:
        known.setdefault(word, line)


def _told(lines: dict[str, int]) -> str:
    some = ", ".join(f"line {line}: {told(word)}" for word, line in [*lines.items()][:WORDS_TOLD_MAX])
    more = f" and {len(lines) - WORDS_TOLD_MAX:,} more words" if len(lines) > WORDS_TOLD_MAX else ""
    return f"{some}{more}"


def _stated(lines: dict[str, int], meaning: str) -> tuple[tuple[str, str], ...]:
    """The words as one value, where that can be said: a comma would part a word."""
    whole = len(lines) <= WORDS_MAX and not any("," in word for word in lines)
    return ((",".join(lines), meaning),) if whole else ()


def _about_refunds(column: str, lines: dict[str, int]) -> OpenQuestion:
    why = f"Column “{column}” has words for what goes back, where the amount has no minus ({_told(lines)})."
    none = (NONE_PASSED_OVER, "no row is a refund by its word: an amount with a minus is, and no other")
    return OpenQuestion(f"refunds.{column}", why, (*_stated(lines, "these rows are refunds"), none))


def _about_no_payments(column: str, lines: dict[str, int]) -> OpenQuestion:
    why = (
        f"Column “{column}” has kinds of rows that may be no payments ({_told(lines)}). If some are refunds, "
        f"state these first: {said(f'refunds.{column}', next(iter(lines)))}."
    )
    none = (NONE_PASSED_OVER, "they are transactions like all others")
    return OpenQuestion(f"skip.{column}", why, (*_stated(lines, "pass these rows over"), none))
