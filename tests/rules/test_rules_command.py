"""`manage.py rules`: what it prints, and its exit status."""

import json
import os
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.audit_trail import head
from tests.support.audit_trail import told as told_since
from tests.support.outages import postgres_away
from tests.support.rows import row, store
from tests.support.rules import eventually, pay_debt
from transactions.access.rights import Right, grant
from transactions.rules import activity, backtest_result, backtest_runs
from transactions.rules.models import Backtest, Rule, Version, VersionState
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("rules", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def refused(*arguments: str) -> str:
    """What is told where the command ends with an error."""
    err = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("rules", *arguments, stdout=StringIO(), stderr=err)
    return f"{err.getvalue()}{caught.value}"


def written(path: Path, *amounts: int) -> str:
    rules = [
        {"name": f"Rule {n}", "kind": "amount", "parameters": {"amount": amount}}
        for n, amount in enumerate(amounts, 1)
    ]
    path.write_text(json.dumps({"rules": rules}))
    return str(path)


def test_a_file_is_imported_shown_activated_and_retired(people: list[User], tmp_path: Path) -> None:
    file = written(tmp_path / "rules.json", 5, 7)
    assert "rules: 2, and nothing is wrong" in run("check", file)
    assert run("import", file).splitlines()[-1] == "drafts: 2, unchanged: 0"
    assert run("import", file).splitlines()[-1] == "drafts: 0, unchanged: 2"
    assert run("list").splitlines()[0] == "Draft     MEDIUM   Rule 1: The amount is at least 5."
    assert "Rule 1, version 1: active from " in run("activate", "Rule 1", "--since", "2026-01-31T12:00Z")
    assert "1. Active from 2026-01-31 12:00 UTC: The amount is at least 5." in run("show", "Rule 1")
    assert "Rule 1, version 1: retired from " in run("retire", "Rule 1")
    assert "has no version that is" in refused("retire", "Rule 2")
    assert json.loads(run("export", "Rule 2"))["rules"][0]["parameters"] == {"amount": 7}


def test_a_file_that_is_half_right_is_not_taken_at_all(tmp_path: Path) -> None:
    told = refused("import", written(tmp_path / "rules.json", 5, 0))
    assert "line 1: rule 2: parameters.amount: the amount must be a whole number" in told
    assert told.endswith("The file was not taken: 1 wrong.")
    assert not Rule.objects.exists()


def test_with_four_eyes_the_author_is_named_and_does_not_approve(
    people: list[User], tmp_path: Path, settings: Settings
) -> None:
    settings.FOUR_EYES = True
    alice, bob, _ = (user.get_username() for user in people)
    grant(people[0], [Right.CHANGE_RULES, Right.APPROVE_RULES])
    grant(people[1], [Right.APPROVE_RULES])
    file = written(tmp_path / "rules.json", 5)
    assert "name the author" in refused("import", file)
    assert "There is no active user “nobody”" in refused("import", file, "--by", "nobody")
    run("import", file, "--by", alice)
    for approver in ([], ["--by", alice]):
        assert "not its author" in refused("activate", "Rule 1", *approver)
    # What was refused has left the draft a draft.
    assert Version.objects.get().state == VersionState.DRAFT
    run("activate", "Rule 1", "--by", bob)
    assert Version.objects.get().state == VersionState.ACTIVE


def test_who_is_named_has_the_right_to_what_is_done(people: list[User], tmp_path: Path) -> None:
    alice, bob, carol = people
    grant(alice, [Right.VIEW_RULES, Right.CHANGE_RULES])
    grant(bob, [Right.VIEW_RULES, Right.APPROVE_RULES])
    file, key = written(tmp_path / "rules.json", 5), str(carol.pk)
    assert refused("import", file, "--by", "bob") == "“bob” does not have the right rules.change."
    run("import", file, "--by", "alice")
    run("list-make", "Watched")
    assert refused("list-add", "Watched", key, "--by", "bob").endswith("the right rules.change.")
    run("list-add", "Watched", key, "--by", "alice")
    assert refused("list-end", "Watched", key, "--by", "bob").endswith("the right rules.change.")
    for step in ("activate", "retire"):
        told = refused(step, "Rule 1", "--version", "1", "--by", "alice")
        assert told == "“alice” does not have the right rules.approve."
    assert Version.objects.get().state == VersionState.DRAFT
    before = head()
    run("activate", "Rule 1", "--by", "bob")
    run("retire", "Rule 1", "--by", "bob")
    run("list-end", "Watched", key, "--by", "alice")
    noted = [
        (action, details.get("by", details.get("approver"))) for action, _, details in told_since(before)
    ]
    assert noted == [
        ("version.submitted", "bob"),
        ("version.approved", "bob"),
        ("version.retired", "bob"),
        ("list.entry_ended", "alice"),
    ]


def test_the_starter_rules_come_along() -> None:
    assert "rules: 12" in run("check", "--starter")
    assert run("import", "--starter").splitlines()[-1] == "drafts: 12, unchanged: 0"


def test_a_backtest_tells_what_a_draft_would_have_found_beside_the_active_version(
    people: list[User], tmp_path: Path
) -> None:
    take(*(record(f"T{n}", people[0], n) for n in range(1, 10)))
    flush()
    run("import", written(tmp_path / "rules.json", 5))
    assert "hits: 5, of 1 user; alerts: about 1" in run("backtest", "Rule 1")
    run("activate", "Rule 1")
    run("import", written(tmp_path / "rules.json", 7))
    told = run("backtest", "Rule 1")
    assert told.startswith("Rule 1, version 2: The amount is at least 7.")
    assert told.endswith("beside version 1: 3 of both, 0 of this alone, 2 of that alone\n")
    result = json.loads(run("backtest", "Rule 1", "--version", "1", "--json"))
    assert (result["hits"], len(result["sample"])) == (5, 5)


def test_a_backtest_looks_at_the_range_that_is_named(people: list[User], tmp_path: Path) -> None:
    store(*(row(people[0], datetime(2026, 1, day, tzinfo=UTC), 7) for day in (1, 2, 3, 4)))
    run("import", written(tmp_path / "rules.json", 5))
    within = ("--from", "2026-01-02T00:00Z", "--to", "2026-01-04T00:00Z")
    told = run("backtest", "Rule 1", *within).splitlines()
    assert told[1].startswith("2026-01-02 00:00 to 2026-01-04 00:00 UTC, in ")
    assert told[2] == "hits: 2, of 1 user; alerts: about 1, 0.5 a day"
    assert told[3] == "transactions on 2 of 2 days"
    rare = run("backtest", "Rule 1", "--from", "2026-01-04T00:00Z", "--to", "2026-01-14T00:00Z").splitlines()
    assert rare[2:4] == ["hits: 1, of 1 user; alerts: about 1, 1.0 a day", "transactions on 1 of 10 days"]
    days = json.loads(run("backtest", "Rule 1", "--to", within[3], "--days", "3", "--json"))["days"]
    assert [(day["day"], day["hits"]) for day in days] == [
        ("2026-01-01", 1),
        ("2026-01-02", 1),
        ("2026-01-03", 1),
    ]
    of_tokyo = run(
        "backtest", "Rule 1", "--from", "2026-01-01T15:00Z", "--to", within[3], "--timezone", "Asia/Tokyo"
    )
    assert of_tokyo.splitlines()[1].startswith("2026-01-02 00:00 to 2026-01-04 09:00 Asia/Tokyo, in ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "2026-01-02T00:00Z", "--to", "2026-01-02T00:00Z"), "The range must end after it begins."),
        (("--from", "1990-01-02T00:00Z"), "The range must not be longer than 3,650 days."),
        (("--from", "2999-01-02T00:00Z", "--to", "2999-01-03T00:00Z"), "The range must begin before now"),
        (("--from", "2026-01-02"), "no moment with a timezone"),
        (("--from", "2026-01-02T00:00Z", "--days", "3"), "not allowed with argument"),
        (("--timezone", "Berlin"), "'Berlin' is no timezone: expected a name as in Europe/London or UTC"),
    ],
)
def test_a_range_that_makes_no_sense_is_told(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    run("import", written(tmp_path / "rules.json", 5))
    assert told in refused("backtest", "Rule 1", *arguments)


def test_ctrl_c_ends_a_backtest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backtest_result.BacktestResult, "show", interrupted)
    run("import", written(tmp_path / "rules.json", 5))
    with pytest.raises(SystemExit) as ended:
        run("backtest", "Rule 1")
    assert ended.value.code == 130
    eventually(lambda: working() == 0, "its session is still there")


def working() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'transactions backtest'"
        )
        found: int = cursor.fetchone()[0]
    return found


def test_backtests_that_were_asked_for_are_listed_and_one_that_waits_in_vain_is_told(tmp_path: Path) -> None:
    run("import", written(tmp_path / "rules.json", 5))
    version = Version.objects.get()
    done, waiting = (backtest_runs.ask(version.rule, version=version) for _ in range(2))
    backtest_runs.run_next()
    assert [line.partition("Rule 1")[0].split()[-1] for line in run("backtests", "Rule 1").splitlines()] == [
        "QUEUED",
        "DONE",
    ]
    assert run("backtests", "--within", "60").count("version 1") == 2
    Backtest.objects.filter(pk=waiting.pk).update(asked_at=done.asked_at - timedelta(seconds=61))
    assert "does a worker of the queue “backtests”" in refused("backtests", "--within", "60")


@pytest.mark.parametrize("what", ["show", "activate", "retire", "backtest", "export"])
def test_a_rule_that_is_not_there_is_told(what: str) -> None:
    assert refused(what, "No\x1brule") == "There is no rule “No\\x1brule”."


@pytest.mark.parametrize(
    "arguments",
    [
        ("activate", "A", "--since", "yesterday"),
        ("activate", "A", "--since", "2026-01-31T12:00"),
        ("backtest", "A", "--days", "0"),
        ("import", "/nonexistent/rules.json"),
        ("import",),
    ],
)
def test_what_makes_no_sense_on_the_command_line_is_told(arguments: tuple[str, ...]) -> None:
    assert refused(*arguments)


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refused("check", str(tmp_path / "rules.json"))


def test_a_file_is_checked_without_postgres(tmp_path: Path) -> None:
    with postgres_away():
        assert "rules: 1, and nothing is wrong" in run("check", written(tmp_path / "rules.json", 5))
        assert json.loads(run("schema"))["required"] == ["rules"]


def test_postgres_away_is_told() -> None:
    with postgres_away():
        assert refused("list").startswith("PostgreSQL does not answer")


def test_where_there_is_no_rule_the_starter_rules_come_into_force_and_later_starts_change_nothing() -> None:
    assert run("start") == "rules that came into force: 12\n"
    begins = set(Version.objects.values_list("effective_from", flat=True))
    assert len(begins) == 1
    begin = begins.pop()
    assert begin is not None
    assert begin <= timezone.now()

    run("retire", "Small amounts that fail")
    Rule.objects.filter(name="Pending for a day").update(name="Pending")
    before = list(Version.objects.order_by("pk").values_list("pk", "state", "rule__name", "rule__severity"))
    assert run("start") == "rules that came into force: 0\n"
    assert before == list(
        Version.objects.order_by("pk").values_list("pk", "state", "rule__name", "rule__severity")
    )


def test_of_several_that_wait_one_is_named_and_what_is_approved_is_said(tmp_path: Path) -> None:
    for amount in (5, 7):
        run("import", written(tmp_path / "rules.json", amount))
    told = refused("activate", "Rule 1")
    assert "name one, --version. 1: The amount is at least 5.; 2: The amount is at least 7." in told
    assert run("activate", "Rule 1", "--version", "2").endswith(" UTC\nThe amount is at least 7.\n")
    assert run("activate", "Rule 1").endswith(" UTC\nThe amount is at least 5.\n")
    assert refused("activate", "Rule 1") == "Rule 1, version 1 is active already, and no other waits."


def test_who_wrote_and_who_approved_is_shown(people: list[User], tmp_path: Path) -> None:
    ann, bob = people[0].username, people[1].username
    grant(people[0], [Right.CHANGE_RULES])
    grant(people[1], [Right.APPROVE_RULES])
    run("import", written(tmp_path / "rules.json", 5), "--by", ann)
    assert f"\n   MEDIUM, written by {ann}\n" in run("show", "Rule 1")
    run("activate", "Rule 1", "--by", bob)
    assert f"\n   MEDIUM, written by {ann}, approved by {bob}\n" in run("show", "Rule 1")


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as out:
        call_command("rules", "schema", stdout=out)


def test_with_four_eyes_a_start_makes_nothing_and_says_what_does(
    people: list[User], settings: Settings
) -> None:
    settings.FOUR_EYES = True
    assert "manage.py rules import --starter --by NAME" in run("start")
    assert not Rule.objects.exists()
    grant(people[0], [Right.CHANGE_RULES])
    grant(people[1], [Right.APPROVE_RULES])
    run("import", "--starter", "--by", people[0].username)
    run("activate", "Small amounts that fail", "--by", people[1].username)
    assert run("start") == "rules that came into force: 0\n"


def test_a_starter_rule_that_looks_back_further_than_transactions_are_kept_stays_a_draft(
    settings: Settings,
) -> None:
    settings.RETENTION_DAYS = 30
    assert run("start") == "rules that came into force: 10\n"
    assert set(Version.objects.filter(state="DRAFT").values_list("kind", flat=True)) == {
        "deviation",
        "first_or_dormant",
    }


def test_the_list_tells_what_each_rule_found(people: list[User], tmp_path: Path) -> None:
    run("import", written(tmp_path / "rules.json", 5, 50))
    run("activate", "Rule 1", "--since", "2026-01-31T12:00Z")
    take(*(record(f"T{n}", people[n % 2], n) for n in range(1, 10)))
    flush()
    pay_debt()

    first, second = run("list").splitlines()
    assert first.endswith("The amount is at least 5. Raised in 7 days: 5. Open alerts: 2.")
    assert second.endswith("The amount is at least 50.")


def test_the_list_counts_as_far_as_the_pages_do(
    people: list[User], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "COUNTED_MAX", 3)
    run("import", written(tmp_path / "rules.json", 5))
    run("activate", "Rule 1", "--since", "2026-01-31T12:00Z")
    take(*(record(f"T{n}", people[0], n) for n in range(1, 10)))
    flush()
    pay_debt()

    assert run("list").endswith("Raised in 7 days: 3 or more. Open alerts: 1.\n")
