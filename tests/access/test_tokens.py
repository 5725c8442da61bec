"""Tokens: how they are kept and checked, and the commands that make, list and end them."""

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from tests.support.serving import database_url
from transactions.access import token_checks, tokens
from transactions.access.rights import Right, grant, rights_of
from transactions.access.token_checks import Access, check
from transactions.access.tokens import create
from transactions.models import ApiToken

pytestmark = pytest.mark.django_db(transaction=True)


def test_only_the_hash_of_a_token_is_stored() -> None:
    token, row = create("till 1")
    row.refresh_from_db()
    assert token.startswith(tokens.PREFIX)
    assert row.digest == tokens.digest_of(token)
    assert token[len(tokens.PREFIX) :] not in repr(vars(row))


def test_a_token_is_looked_up_once_a_minute(
    clock: list[float], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    token, _ = create("till 1")
    assert check(token) is not None
    with django_assert_num_queries(0):
        assert check(token) is not None
    tokens.revoke("till 1")
    assert check(token) is not None
    clock[0] += 60
    assert check(token) is None
    assert check(token) is None


def test_one_request_asks_again_while_the_others_go_on_in_the_fast_lane(clock: list[float]) -> None:
    """Or all that come in the moment in which the minute is over would go Django's way, hundreds at once."""
    token, _ = create("till 1")
    access, checked = check(token), token_checks.checked_tokens
    assert [token_checks.known(token) for _ in range(3)] == [access] * 3
    for _ in range(3):
        clock[0] += token_checks.KNOWN_S
        assert [token_checks.known(token) for _ in range(3)] == [None, access, access]
        assert checked.get(tokens.digest_of(token)) == (access, True)
        clock[0] += token_checks.RECHECK_S  # PostgreSQL keeps the one waiting
        assert [token_checks.known(token) for _ in range(3)] == [None, access, access]
        assert check(token) == access
        assert [token_checks.known(token) for _ in range(3)] == [access] * 3


def test_a_token_that_nobody_used_for_long_is_asked_for_by_all_who_come_at_once(clock: list[float]) -> None:
    """What was revoked an hour ago is not let through in the moment in which the first of them asks."""
    token, _ = create("till 1")
    check(token)
    clock[0] += token_checks.KNOWN_S + token_checks.RECHECK_S
    assert token_checks.known(token) is None
    assert [token_checks.checked_tokens.get(tokens.digest_of(token))[1] for _ in range(3)] == [True] * 3


def test_a_known_token_ends_at_its_hour(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    token, row = create("till 1", lifetime=timedelta(days=1))
    assert check(token) is not None
    assert row.expires_at is not None
    monkeypatch.setattr(timezone, "now", lambda: row.expires_at)
    assert check(token) is None


def test_a_right_given_or_taken_counts_within_a_minute(clock: list[float]) -> None:
    token, row = create("till 1", rights=frozenset({Right.READ}))
    assert _rights(check(token)) == {Right.READ}
    row.user.groups.clear()
    clock[0] += 60
    assert _rights(check(token)) == set()


def _rights(access: Access | None) -> set[Right]:
    assert access is not None
    return set(access.rights)


def test_the_last_use_is_noted_once_a_minute(clock: list[float]) -> None:
    token, row = create("till 1")
    assert check(token) is not None
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None
    clock[0] += 60
    assert check(token) is not None
    row.refresh_from_db()
    assert row.last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(minutes=1))
    clock[0] += 60
    assert check(token) is not None
    row.refresh_from_db()
    assert row.last_used_at is not None
    assert row.last_used_at > first


@pytest.fixture
def postgres_switch() -> Iterator[Any]:
    """A function that lets nobody into the test database, or anybody again."""
    name = str(connection.settings_dict["NAME"])
    other = psycopg2.connect(database_url().replace(f"/{name}?", "/transactions_database?"))
    other.autocommit = True

    def switch(on: bool) -> None:
        connection.close()
        with other.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {on}')

    try:
        yield switch
    finally:
        switch(True)
        other.close()


def books_for(api: APIClient, token: str) -> Any:
    return api.get("/api/pipeline/", HTTP_AUTHORIZATION=f"Bearer {token}")


def test_a_known_token_outlives_postgres_and_a_new_one_is_asked_to_wait(
    api: APIClient,
    clock: list[float],
    postgres_switch: Any,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    known, _ = create("known")
    unknown, _ = create("unknown")
    assert check(known) is not None
    postgres_switch(False)
    clock[0] += 600
    answer = books_for(api, known)
    assert (answer.status_code, answer.json()["balanced"]) == (200, None)
    clock[0] += 600
    refused = books_for(api, unknown)
    assert refused.status_code == 503
    assert refused["Retry-After"]
    postgres_switch(True)
    assert books_for(api, unknown).status_code == 200
    assert "it stays valid" in caplog.text
    assert known not in caplog.text
    assert unknown not in caplog.text


# --- Commands ----------------------------------------------------------------------------------


def run(command: str, *arguments: str) -> tuple[str, str]:
    """What a command says on stdout and on stderr."""
    out, err = io.StringIO(), io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def rights(name: str) -> set[Right]:
    return set(rights_of(User.objects.get(username=name)))


def test_it_prints_the_token_alone_on_stdout() -> None:
    out, err = run("create_token", "till 7")
    token = out.removesuffix("\n")
    access = check(token)
    assert access is not None
    assert access.rights == {Right.POST, Right.READ}
    assert token not in err
    assert "until it is revoked" in err


def test_the_account_of_a_token_is_a_machine() -> None:
    run("create_token", "Till 7", "--rights", "post")
    user = User.objects.get()
    assert user.username == "api-till-7"
    assert not user.has_usable_password()
    assert not user.is_staff
    assert rights("api-till-7") == {Right.POST}
    assert [group.name for group in user.groups.all()] == ["API: post"]


def test_a_token_for_an_account_there_is_never_gives_it_a_right() -> None:
    """It would be a right of the person for good, in the browser too, whatever becomes of the token."""
    ann = User.objects.create_user("ann")
    run("create_token", "one", "--user", "ann")
    assert rights("ann") == set()
    grant(ann, {Right.READ})
    run("create_token", "two", "--user", "ann", "--rights", "read")
    with pytest.raises(CommandError) as caught:
        run("create_token", "three", "--user", "ann", "--rights", "read, rules.view, administer")
    assert str(caught.value) == (
        "The account 'ann' lacks administer, rules.view, and a token never gives it rights: grant them in "
        "the admin first, or leave --user out for an account of the token's own."
    )
    assert rights("ann") == {Right.READ}
    assert not ApiToken.objects.filter(name="three").exists()


def test_the_account_of_an_earlier_token_is_used_again_with_the_rights_it_has() -> None:
    run("create_token", "till", "--rights", "post")
    run("revoke_token", "till")
    run("create_token", "till", "--user", "api-till", "--rights", "post")
    with pytest.raises(CommandError, match="'api-till' lacks read,"):
        run("create_token", "till 2", "--user", "api-till", "--rights", "post,read")
    assert rights("api-till") == {Right.POST}


def test_a_token_may_end_by_itself() -> None:
    _, err = run("create_token", "till", "--expires", "30")
    row = ApiToken.objects.get()
    assert row.expires_at is not None
    assert round((row.expires_at - row.made_at).total_seconds() / 86400) == 30
    assert f"{row.expires_at:%Y-%m-%d}" in err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("till",), "api-till"),
        (("till", "--user", "ann"), "named 'till'"),
        (("new", "--user", "nobody"), "no user 'nobody'"),
        (("new", "--user", "gone"), "not active"),
        (("new", "--rights", "post,everything"), "--rights"),
        (("new", "--rights", ""), "--rights"),
        (("new", "--expires", "0"), "--expires"),
        (("new", "--expires", "99999999999"), "--expires"),
        (("",), "1 to 100"),
        (("x" * 101,), "1 to 100"),
        (("a\nb",), "printable"),
        (("\u3164",), "one of them visible"),
        (("!",), "--user"),
    ],
)
def test_it_says_in_a_line_why_a_token_cannot_be_made(arguments: tuple[str, ...], word: str) -> None:
    run("create_token", "till")
    User.objects.create_user("ann")
    User.objects.create_user("gone", is_active=False)
    accounts = User.objects.count()
    with pytest.raises(CommandError) as caught:
        run("create_token", *arguments)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (ApiToken.objects.count(), User.objects.count()) == (1, accounts)


def test_a_revoked_token_is_refused_and_its_name_is_free_again() -> None:
    out, _ = run("create_token", "till")
    run("revoke_token", "till")
    assert check(out.strip()) is None
    run("create_token", "till", "--user", "api-till")
    assert ApiToken.objects.filter(name="till").count() == 2


def test_what_does_not_exist_cannot_be_revoked() -> None:
    run("create_token", "till")
    run("revoke_token", "till")
    for name in ("till", "other"):
        with pytest.raises(CommandError, match=name):
            run("revoke_token", name)


def test_the_list_names_the_live_tokens_and_their_rights() -> None:
    for name in ("one", "two", "three"):
        run("create_token", name)
    run("revoke_token", "two")
    listed: list[Any] = [line.split("\t")[:4] for line in run("list_tokens")[0].splitlines()]
    assert listed == [
        ["one", "account api-one", "may post,read", "ends never"],
        ["three", "account api-three", "may post,read", "ends never"],
    ]
