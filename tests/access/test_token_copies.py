"""Tokens while PostgreSQL is away: Redis remembers which were known, and which were revoked."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import Error as DatabaseError
from django.db import transaction
from django.utils import timezone

from dev.trio import Trio
from tests.support.outages import postgres_away, redis_away
from tests.support.serving import ROOT, database_url
from transactions.access import token_checks, token_copies
from transactions.access.rights import Right
from transactions.access.token_checks import check, checked_tokens, known
from transactions.access.tokens import create, digest_of, revoke
from transactions.models import ApiToken
from transactions.stores.redis_connection import connection, text

# In a program that knows of tokens nothing but their table.
DELETE_TOKENS = "from transactions.models import ApiToken; ApiToken.objects.all().delete()"

pytestmark = pytest.mark.django_db(transaction=True)


def another_process(token: str) -> None:
    """Forgets what this one knows of a token."""
    checked_tokens.put(digest_of(token), None)


def test_a_token_that_any_process_knew_is_valid_in_all(clock: list[float]) -> None:
    token, row = create("till 1", rights=frozenset({Right.POST}), lifetime=timedelta(days=1))
    before = check(token)
    another_process(token)
    with postgres_away():
        after = check(token)
        assert after is not None
        assert before is not None
        assert (after.name, after.rights, after.user, after.expires_at) == (
            before.name,
            frozenset({Right.POST}),
            row.user,
            row.expires_at,
        )
        assert known(token) == after


def test_a_token_that_nobody_knew_has_to_wait() -> None:
    token, _ = create("till 1")
    with postgres_away(), pytest.raises(DatabaseError):
        check(token)


@pytest.mark.parametrize("how", ["revoke", "save", "delete"])
def test_a_revoked_token_stays_revoked_in_every_process(clock: list[float], how: str) -> None:
    token, row = create("till 1")
    assert check(token) is not None
    if how == "revoke":
        revoke("till 1")
    elif how == "save":
        row.revoked_at = timezone.now()
        row.save()
    else:
        row.delete()
    with postgres_away():
        assert check(token) is not None  # Known here for less than a minute yet.
        clock[0] += token_checks.KNOWN_S
        assert check(token) is None
        another_process(token)
        # A process that asked PostgreSQL just before, and is slow to tell Redis.
        token_copies.keep(digest_of(token), {"name": "till 1"})
        assert check(token) is None


def test_a_token_that_is_deleted_from_a_shell_is_revoked_in_every_process() -> None:
    token, _ = create("till 1")
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", DELETE_TOKENS],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url()},
        check=True,
    )
    assert token_copies.recall(digest_of(token)) == (None, True)


def test_a_minute_is_enough_for_a_revocation_to_be_known_everywhere() -> None:
    assert token_checks.KNOWN_S + token_checks.RECHECK_S < 60


@pytest.mark.parametrize("how", ["closed", "expired"])
def test_a_token_that_ended_otherwise_has_ended_too(
    clock: list[float], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, row = create("till 1", lifetime=timedelta(days=1))
    assert check(token) is not None
    another_process(token)
    if how == "closed":
        row.user.is_active = False
        row.user.save()
    else:
        end = row.expires_at
        assert end is not None
        monkeypatch.setattr(timezone, "now", lambda: end)
    with postgres_away():
        assert check(token) is None


def test_the_token_of_an_account_that_is_closed_stays_so_in_every_process_until_it_is_opened_again(
    clock: list[float],
) -> None:
    token, row = create("till 1")
    assert check(token) is not None
    row.user.is_active = False
    row.user.save(update_fields=["is_active"])
    # A process that asked PostgreSQL just before, and is slow to tell Redis.
    token_copies.keep(digest_of(token), {"name": "till 1"})
    row.user.save(update_fields=["last_login"])
    clock[0] += token_checks.KNOWN_S
    with postgres_away():
        assert check(token) is None
        assert async_to_sync(token_copies.is_kept)(digest_of(token)) is False
    with transaction.atomic():
        row.user.is_active = True
        row.user.save()
        transaction.set_rollback(True)
    with postgres_away():
        assert check(token) is None
    row.user.save()
    assert check(token) is not None
    another_process(token)
    with postgres_away():
        assert check(token) is not None
        assert async_to_sync(token_copies.is_kept)(digest_of(token)) is True


def test_who_is_opened_again_has_no_token_back_that_was_revoked() -> None:
    token, row = create("till 1")
    row.user.is_active = False
    row.user.save()
    revoke("till 1")
    row.user.is_active = True
    row.user.save()
    with postgres_away():
        assert check(token) is None


def test_what_postgres_says_wins_over_what_redis_remembers(clock: list[float]) -> None:
    token, _ = create("till 1")
    assert check(token) is not None
    with redis_away():
        revoke("till 1")  # Which Redis does not hear of.
    another_process(token)
    assert check(token) is None
    with postgres_away(), pytest.raises(DatabaseError):
        check(token)


def test_redis_away_is_no_obstacle() -> None:
    token, _ = create("till 1")
    with redis_away():
        assert check(token) is not None
        revoke("till 1")
    another_process(token)
    assert check(token) is None


def test_no_token_stands_in_redis() -> None:
    token, _ = create("till 1")
    check(token)
    revoke("till 1")
    kept = [text(part) for key in connection().keys("*") for part in (key, connection().get(key))]
    assert kept
    assert not any(token[6:] in each for each in kept)


def test_a_copy_ends_before_a_revocation_is_forgotten() -> None:
    token, _ = create("till 1")
    check(token)
    assert 0 < connection().ttl(token_copies.COPY + digest_of(token)) <= token_copies.COPY_S
    revoke("till 1")
    assert connection().ttl(token_copies.REVOKED + digest_of(token)) > token_copies.COPY_S
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    assert User.objects.count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ["revoked", "of a closed account"])
def test_a_mark_that_too_few_replicas_have_is_told(
    three: Trio, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """The next primary would not know it: an operator may have to look after it while PostgreSQL is away."""
    _, row = create("till 1")
    three.replicas[0].freeze()
    try:
        if how == "revoked":
            revoke("till 1")
        else:
            row.user.is_active = False
            row.user.save()
    finally:
        three.replicas[0].wake()
    assert f"A token was not marked as {how} in Redis: Unconfirmed" in caplog.text
