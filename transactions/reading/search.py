"""One search: what a few typed characters may mean, answered at once however many rows there are.

A part of an id is looked for among the newest rows, which have common parts by the dozen, then at the
beginning of all, and last by the index of parts, which has rare ones. That one is not asked for what it
would read everything for, as one or two letters, or signs alone. What takes too long is given up.
"""

import itertools
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar

import redis
from django.conf import settings
from django.db import connection

from .. import money
from ..access.people import PEOPLE
from ..alerts.models import Alert
from ..models import AMOUNT_MAX, RejectedRecord
from ..queue.records import State
from ..queue.waiting import waiting
from ..rules.models import Rule
from ..stores import bounded_queries
from ..tables import TRANSACTIONS, USER_KEY, USER_NAME, USERS
from . import detail, part_indexes, refusals
from .detail import UNSTORED_LOOKED_AT_MAX

Told = TypeVar("Told")

# Of each kind.
FOUND_MAX = 6
# How long Redis is waited for, in seconds, beside PostgreSQL's time: a search can do without it.
REDIS_S = 1.0
# The longest name of a customer; ids have fewer.
TERM_CHARACTERS_MAX = 150
# Of PostgreSQL's time beside the rest, in milliseconds: the names of who is told of, by their keys. What was
# found is not told with names at one time and with numbers at another.
NAMES_MS = 40
NEWEST_ROWS = 5_000
# Rows with a rare part, of which the newest are shown.
WITH_PART_MAX = 1_000
# What the index of parts has entries for: three letters or digits, or two beside a sign.
INDEXED = re.compile(r"[A-Za-z0-9]{3}|[A-Za-z0-9]{2}[ !-/:-@[-`{-~]|[ !-/:-@[-`{-~][A-Za-z0-9]{2}")
# Alert 12, alert #12, 12.
ALERT = re.compile(r"(?:alert\s*)?#?\s*([0-9]{1,18})", re.ASCII | re.IGNORECASE)
# As people write them: 1234, 1,234 and 1 234 in one.
AMOUNT = re.compile(r"[0-9]{1,3}(?:[, '\u2009\u202f\xa0][0-9]{3})+|[0-9]+", re.ASCII)


class Searched(NamedTuple):
    """A table whose rows have a text by which people know them."""

    table: str
    text: str
    columns: str
    newest: str
    # How a beginning is compared, and whether so in any letter case.
    begins: str
    in_any_case: bool
    # Which of the rows are meant.
    only: str = "true"


OF_TRANSACTIONS = Searched(
    TRANSACTIONS,
    "transaction_id",
    detail.COLUMNS,
    "created_at DESC, id DESC",
    "transaction_id LIKE %s",
    in_any_case=False,
)
OF_CUSTOMERS = Searched(
    USERS,
    USER_NAME,
    f"{USER_KEY}, {USER_NAME}",
    f"{USER_KEY} DESC",
    f"upper({USER_NAME}) LIKE upper(%s)",
    in_any_case=True,
    only=f"{USER_KEY} NOT IN ({PEOPLE})",
)

# Purpose: the newest rows that have a part, of the newest of all.
AMONG_NEWEST = """
    SELECT * FROM (SELECT {columns} FROM {table} ORDER BY {newest} LIMIT {rows}) newest
     WHERE {parts} AND {only} ORDER BY {newest} LIMIT {most}
"""
# Purpose: some rows that begin so, by the index of ids or of names; each spelling by itself, since only a
# single beginning is a range of the index. That of names has them in capitals alone.
BEGINNING = "(SELECT {columns} FROM {table} WHERE {begins} AND {only} LIMIT {most})"
# Purpose: the newest of the rows that have a rare part, by the index of parts and no other way.
WITH_PART = """
    SELECT * FROM (SELECT {columns} FROM {table} WHERE {parts} LIMIT {rows}) found
     WHERE {only} ORDER BY {newest} LIMIT {most}
"""
BY_PART_ALONE = """
    SELECT set_config(name, 'off', true)
      FROM unnest(ARRAY['enable_seqscan', 'enable_indexscan', 'enable_indexonlyscan']) AS name
"""
# Purpose: the newest rows of one amount, by the index transaction_by_amount.
OF_AMOUNT = f"""
    SELECT {OF_TRANSACTIONS.columns} FROM {TRANSACTIONS} WHERE amount = %s
     ORDER BY amount DESC, {OF_TRANSACTIONS.newest} LIMIT {FOUND_MAX + 1}
"""
# Purpose: the newest alerts of each of some rules, or customers, by the index of their times.
ALERTS_OF = f"""
    SELECT found.* FROM unnest(%s::bigint[]) AS wanted (key)
     CROSS JOIN LATERAL (SELECT * FROM {Alert._meta.db_table} WHERE {{column}} = wanted.key
                          ORDER BY opened_at DESC, id DESC LIMIT {FOUND_MAX + 1}) found
     ORDER BY opened_at DESC, id DESC LIMIT {FOUND_MAX + 1}
"""
# Purpose: a customer by number.
OF_NUMBER = f"SELECT {OF_CUSTOMERS.columns} FROM {USERS} WHERE {USER_KEY} = %s AND {OF_CUSTOMERS.only}"


def term_of(text: str) -> str:
    """The text of a search without the space around it, and without the sign of a number that is written as
    #12. A sign alone stays: it may be a part of an id.
    """
    text = text.strip()
    return text.removeprefix("#").strip() or text


@dataclass(slots=True)
class Matches:
    """Some rows of a kind. `more`: there are others. `slow`: looking for others was given up. `newest`: there
    are older records than so many that were looked through; 0: all were. `exact`: the first is what the whole
    text names.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False
    slow: bool = False
    newest: int = 0
    exact: bool = False


class Search:
    """What a text finds, kind by kind, in SEARCH_MS_MAX of PostgreSQL's time. Raises django.db.Error."""

    def __init__(self, text: str) -> None:
        text = term_of(text)
        # No id and no name is longer, or has a NUL, with which PostgreSQL does not even compare.
        self.text = "" if len(text) > TERM_CHARACTERS_MAX or "\0" in text else text
        self._ends = time.monotonic() + settings.SEARCH_MS_MAX / 1000
        # Whether there are indexes of parts; None where that was not told in time.
        self.parts_indexed = self.in_time(part_indexes.present)
        # Whether all parts were looked for, not the beginnings alone.
        self.any_part = bool(INDEXED.search(self.text)) and bool(self.parts_indexed)
        # Redis, where transactions wait, does not answer.
        self.redis_away = False

    def transactions(self) -> Matches:
        """By their whole id wherever they are, by their number, and stored ones by any part of their id."""
        if not self.text:
            return Matches()
        exact = self._exact()
        found = self._named(OF_TRANSACTIONS)
        rows = [detail.row_as_dict(row) for row in found.rows_of]
        if exact is not None:
            rows = [exact, *(row for row in rows if row["transaction_id"] != exact["transaction_id"])]
        most = self._most(exact is not None)
        return Matches(rows[:most], len(rows) > most, found.slow, exact=exact is not None)

    def waiting(self) -> Matches:
        """Those that wait in Redis, by any part of their id, the newest first."""
        if not self.text:
            return Matches()
        found = self._of_redis(lambda: detail.newest_unstored(UNSTORED_LOOKED_AT_MAX, REDIS_S))
        if found is None:
            return Matches()
        part = self.text.casefold()
        rows = [row for row in found.shown if part in row["transaction_id"].casefold()]
        newest = 0 if found.complete else UNSTORED_LOOKED_AT_MAX
        return Matches(rows[:FOUND_MAX], len(rows) > FOUND_MAX, newest=newest)

    def rejected(self) -> Matches:
        """Those that could not be stored, and that nobody had taken again, by any part of their id, newest
        first; then those that could not be read, by any part of what they hold, or their number.
        """
        if not self.text:
            return Matches()
        parts, patterns = self._with_part("transaction_id")
        rows = self.in_time(
            lambda: refusals.with_part(
                parts, patterns, self.text, self._number(), UNSTORED_LOOKED_AT_MAX, WITH_PART_MAX
            )
        )
        newest = 0
        if self.in_time(
            lambda: RejectedRecord.objects.exclude(resolution="REPLAYED")[UNSTORED_LOOKED_AT_MAX:].exists()
        ):
            newest = UNSTORED_LOOKED_AT_MAX
        found = rows or []
        return Matches(found[:FOUND_MAX], len(found) > FOUND_MAX, rows is None, newest)

    def customers(self) -> Matches:
        """By their number, or any part of their name; none of those who work here."""
        if not self.text:
            return Matches()
        rows: list[tuple[Any, ...]] = []
        if (number := self._number()) is not None:
            rows = self._rows(OF_NUMBER, [number]) or []
        found = self._named(OF_CUSTOMERS)
        rows += [row for row in found.rows_of if row not in rows]
        shown = [{"id": key, "name": name} for key, name in rows]
        shown.sort(key=lambda row: not self._names(row))
        exact = bool(shown) and self._names(shown[0])
        most = self._most(exact)
        return Matches(shown[:most], len(rows) > most, found.slow, exact=exact)

    def _names(self, customer: dict[str, Any]) -> bool:
        """Whether the whole text is a customer's number or name."""
        return self.text in (str(customer["id"]), customer["name"])

    def _most(self, exact: bool) -> int:
        """How many of a kind are shown: beside what a number names, few of what has it as a part."""
        return FOUND_MAX // 2 if exact and self._number() is not None else FOUND_MAX

    def rules(self) -> Matches:
        """By any part of their name."""
        if not self.text or self._number() is not None:
            return Matches()
        part = Rule.objects.filter(name__icontains=self.text).order_by("name")
        found = self.in_time(lambda: list(part[: FOUND_MAX + 1]))
        rows = [
            {"id": rule.pk, "name": rule.name, "severity": rule.get_severity_display()}
            for rule in found or []
        ]
        return Matches(rows[:FOUND_MAX], len(rows) > FOUND_MAX, found is None)

    def alerts(self, rules: Sequence[int] = (), users: Sequence[int] = ()) -> Matches:
        """By their number; then those of some rules, and of some customers, the newest of each first."""
        rows: dict[int, dict[str, Any]] = {}
        numbered = ALERT.fullmatch(self.text)
        if numbered:
            rows = self._alerts(lambda: list(Alert.objects.filter(pk=int(numbered[1])))) or {}
        exact, slow = bool(rows), False
        for column, keys in (("rule", rules), ('"user"', users)):
            if keys:
                found = self._alerts(partial(_alerts_of, column, list(keys)))
                slow |= found is None
                rows |= found or {}
        return Matches(list(rows.values())[:FOUND_MAX], len(rows) > FOUND_MAX, slow, exact=exact)

    def _alerts(self, ask: Callable[[], list[Alert]]) -> dict[int, dict[str, Any]] | None:
        found = self.in_time(ask)
        if found is None:
            return None
        return {
            alert.pk: {
                "id": alert.pk,
                "rule": alert.rule_name,
                "user": alert.user,
                "state": alert.get_state_display(),
            }
            for alert in found
        }

    def amounts(self) -> Matches:
        """Transactions of this very amount, the newest first."""
        amount = self.amount
        if amount is None:
            return Matches()
        rows = self._rows(OF_AMOUNT, [amount])
        shown = [detail.row_as_dict(row) for row in rows or []]
        return Matches(shown[:FOUND_MAX], len(shown) > FOUND_MAX, rows is None, exact=bool(shown))

    @property
    def amount(self) -> int | None:
        """The amount that the text is, as people write it here; None where it is none."""
        if money.code() is not None:
            try:
                return money.parse(self.text)
            except money.NotMoneyError:
                return None
        if not AMOUNT.fullmatch(self.text):
            return None
        amount = int(re.sub(r"\D", "", self.text))
        return amount if amount <= AMOUNT_MAX else None

    def _number(self) -> int | None:
        """The key of a row that the text may be."""
        plain = self.text.isascii() and self.text.isdigit()
        return int(self.text) if plain and int(self.text) <= AMOUNT_MAX else None

    def _exact(self) -> dict[str, Any] | None:
        state = self._waiting()
        return self.in_time(lambda: detail.known(self.text, state))

    def _waiting(self) -> State | None:
        return self._of_redis(lambda: waiting(self.text, REDIS_S))

    def _of_redis(self, ask: Callable[[], Told]) -> Told | None:
        """What Redis says, None where it did not once. To wait for it takes nothing of PostgreSQL's time."""
        if self.redis_away:
            return None
        began = time.monotonic()
        try:
            return ask()
        except redis.RedisError:
            self.redis_away = True
            return None
        finally:
            self._ends += time.monotonic() - began

    def _named(self, searched: Searched) -> "_Named":
        """Rows whose text has the part: the newest first, then what the index knows."""
        most = FOUND_MAX + 1
        parts, patterns = self._with_part(searched.text)
        fill = {**searched._asdict(), "parts": parts, "most": most}
        spellings = [self.text] if searched.in_any_case else _spellings(self.text)
        beginnings = [f"{literal(spelling)}%" for spelling in spellings]
        looks = [
            (AMONG_NEWEST.format(**fill, rows=NEWEST_ROWS), patterns, ""),
            (" UNION ALL ".join([BEGINNING.format(**fill)] * len(beginnings)), beginnings, ""),
        ]
        if self.any_part:
            looks.append((WITH_PART.format(**fill, rows=WITH_PART_MAX), patterns, BY_PART_ALONE))
        rows: dict[int, tuple[Any, ...]] = {}
        for sql, parameters, first in looks:
            found = self._rows(sql, parameters, first)
            if found is None:
                return _Named(list(rows.values()), slow=True)
            rows |= {row[0]: row for row in found}
            if len(rows) >= most:
                break
        return _Named(list(rows.values()))

    def _with_part(self, column: str) -> tuple[str, list[str]]:
        """The condition that a column has the text as a part, and its parameters."""
        return _any_of(column, "ILIKE", [f"%{literal(case)}%" for case in _cases(self.text)])

    def _rows(self, sql: str, parameters: Sequence[Any], first: str = "") -> list[tuple[Any, ...]] | None:
        """The rows of one statement; None where it was given up."""

        def ask() -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                if first:
                    cursor.execute(first)
                cursor.execute(sql, parameters)
                rows: list[tuple[Any, ...]] = cursor.fetchall()
                return rows

        return self.in_time(ask)

    def in_time(self, ask: Callable[[], Told]) -> Told | None:
        """What `ask` finds in what is left of the time; None where it was given up, or nothing is left."""
        left_ms = round((self._ends - time.monotonic()) * 1000)
        return bounded_queries.in_time_together(ask, left_ms) if left_ms > 0 else None


def names_in_time(ask: Callable[[], Told]) -> Told | None:
    """What `ask` finds by keys, also where a search has taken all of its time; None where it is given up."""
    return bounded_queries.in_time(ask, NAMES_MS)


class _Named(NamedTuple):
    rows_of: list[tuple[Any, ...]]
    slow: bool = False


def _alerts_of(column: str, keys: list[int]) -> list[Alert]:
    return list(Alert.objects.raw(ALERTS_OF.format(column=column), [keys]))


def _any_of(column: str, operator: str, patterns: Sequence[str]) -> tuple[str, list[str]]:
    """A condition, and its parameters. Of an array of patterns no GIN index is asked."""
    return "(" + " OR ".join([f"{column} {operator} %s"] * len(patterns)) + ")", list(patterns)


def literal(text: str) -> str:
    """A text as LIKE has it that stands for nothing but itself."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def _cases(text: str) -> list[str]:
    """ILIKE knows that A is a; of a column in byte order it knows no other letters."""
    return [text] if text.isascii() else sorted({text, text.lower(), text.upper()})


def _spellings(text: str) -> Iterable[str]:
    """How a beginning may be written: in every way if it is short, else in small or capital letters alone."""
    if len(text) > 2:
        return sorted({text, text.lower(), text.upper()})
    letters = ({letter.lower(), letter.upper()} for letter in text)
    return sorted({"".join(spelling) for spelling in itertools.product(*letters)})
