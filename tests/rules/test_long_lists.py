"""Long lists of users: rules read of them what concerns the users they judge, however many stand there."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from tests.support.reading import a_minute_each, pages_read, tell_the_planner
from tests.support.rules import LONG_AGO
from transactions.rules import evaluation
from transactions.rules.kinds.kind import ENTRIES as ENTRY_TABLE
from transactions.rules.kinds.kind import LISTS, Bound
from transactions.rules.kinds.registry import CLOCK_NAMES, read
from transactions.rules.models import ListEntry, UserList
from transactions.rules.versions import Judging

pytestmark = pytest.mark.django_db

ENTRIES = 100_000
# Transactions of the chunk, of one user each; every second one stands on both lists.
JUDGED = 20
# A list and its index have some 2,000 pages.
PAGES_MAX = 20 * JUDGED

RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "listed": ("listed", {"list_name": "long"}),
    "in_list": ("amount", {"at": "least", "amount": 1, "filter": {"in_list": "long"}}),
    "not_in_list": ("amount", {"at": "least", "amount": 1, "filter": {"not_in_list": "long"}}),
    "windowed": ("velocity_count", {"count": 1, "window": "1h", "filter": {"in_list": "long"}}),
    "another list": ("listed", {"list_name": "as long"}),
}


def judging(name: str, number: int = 1) -> Judging:
    kind, parameters = RULES[name]
    form = read(kind, parameters)
    return Judging(
        number, number, name, "HIGH", 1, form, kind in CLOCK_NAMES, "ACTIVE", LONG_AGO, None, LONG_AGO, False
    )


@pytest.fixture(scope="module")
def cursor(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Any]:
    """In a transaction as rules are judged in, which has touched a chunk; all lists are long.

    Writing them takes PostgreSQL two seconds, so all tests here look at the same: each is a savepoint in
    there. All of it is undone in the end.
    """
    with django_db_blocker.unblock(), transaction.atomic(), connection.cursor() as cursor:
        # The planner takes the lists for empty, as it may for a while after so many rows came.
        tell_the_planner(ListEntry._meta.db_table)
        # In this role no foreign key is looked up, which would be put off to the end of each test.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            """INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email,
                                      is_staff, is_active, date_joined)
               SELECT 'user ' || n, '', false, '', '', '', false, true, now()
                 FROM generate_series(1, %s) n""",
            [ENTRIES],
        )
        on = User.objects.filter(username__startswith="user ").order_by("pk")
        for name in ("long", "as long"):
            users = UserList.objects.create(name=name)
            cursor.execute(
                f"""INSERT INTO {ListEntry._meta.db_table} (list_id, user_id, comment, starts_at)
                    SELECT %s, id, '', %s FROM auth_user WHERE username LIKE 'user %%'""",
                [users.pk, LONG_AGO],
            )
        cursor.execute("SET LOCAL session_replication_role = origin")
        off = [User.objects.create(username=f"other {number}") for number in range(JUDGED // 2)]
        a_minute_each(*on[: JUDGED // 2], *off)
        evaluation.prepare(cursor)
        cursor.execute(evaluation.TOUCH_RANGE, {"first": 1, "last": 2**63 - 1, "is_new": True})
        cursor.execute(evaluation.limit())
        yield cursor
        transaction.set_rollback(True)


def test_a_gate_reads_of_a_list_the_users_that_are_judged(cursor: Any) -> None:
    versions = [judging(name, number) for number, name in enumerate(RULES, 1)]
    assert pages_read(cursor, *evaluation.look_at(versions, datetime.now(UTC))) <= PAGES_MAX
    cursor.execute("SELECT version, count(*) FROM rule_look GROUP BY version ORDER BY version")
    looked = {versions[version - 1].name: users for version, users in cursor.fetchall()}
    half = JUDGED // 2
    # Who does not stand on a list may have stood on it when the transaction happened.
    assert looked == {
        "listed": half,
        "in_list": half,
        "not_in_list": JUDGED,
        "windowed": half,
        "another list": half,
    }


@pytest.mark.parametrize("name", ["listed", "in_list", "windowed"])
def test_a_gate_looks_users_up_by_their_hash(cursor: Any, name: str) -> None:
    sql, values = evaluation.look_at([judging(name)], datetime.now(UTC))
    cursor.execute(f"EXPLAIN {sql}", values)
    plan = [line for (line,) in cursor.fetchall()]
    assert [line for line in plan if "hashed SubPlan" in line]
    assert [line for line in plan if "Semi Join" in line] == []


@pytest.mark.parametrize("name", RULES)
def test_a_rule_reads_of_a_list_the_users_that_it_looks_at(cursor: Any, name: str) -> None:
    cursor.execute(
        "INSERT INTO rule_look SELECT 1, user_id, min(created_at), max(created_at)"
        "  FROM rule_touched GROUP BY user_id"
    )
    bound = Bound()
    statement = f"{evaluation.SCOPE} {read(*RULES[name]).sql(bound)}"
    values = {**bound.values, "version": 1, "begin": LONG_AGO, "end": datetime.now(UTC)}
    assert pages_read(cursor, statement, values) <= PAGES_MAX


def test_the_kinds_name_the_tables_of_lists_as_these_are() -> None:
    assert (UserList._meta.db_table, ListEntry._meta.db_table) == (LISTS, ENTRY_TABLE)
