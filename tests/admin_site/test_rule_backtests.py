"""Backtests on the pages of a rule: asked for, watched, cancelled, and what is told of them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.accepting import record, take
from tests.support.markup import markup
from tests.support.rule_pages import at, drafted, member, plain, sent, text_of
from tests.support.rules import LONG_AGO
from transactions.rules import backtest_runs, lifecycle
from transactions.rules.models import Backtest, Version
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def ann(people: list[User]) -> Client:
    return member("ann", "view", "change")[0]


@pytest.fixture
def version(people: list[User]) -> Version:
    """A draft about 1,000 and more, and two of three transactions of yesterday are so large."""
    take(*(record(f"T{amount}", people[0], amount, created_at=YESTERDAY) for amount in (999, 1000, 2500)))
    flush()
    return drafted()


def asked(client: Client, tested: Version, **more: str) -> str:
    """The page that follows when a backtest of a version is asked for."""
    today = datetime.now(UTC).date()
    days = {"first": (today - timedelta(days=7)).isoformat(), "last": today.isoformat()}
    return sent(client, at("rule_test", tested.rule_id), **{"version": str(tested.number), **days, **more})


def test_a_backtest_is_asked_for_watched_and_told(ann: Client, version: Version, people: list[User]) -> None:
    said = asked(ann, version)
    assert "Version 1 Queued" in said
    assert "How far it is" in said
    held = Backtest.objects.get()
    path = at("rule_backtest", held.rule_id, held.pk)
    told = ann.get(f"{path}progress/").json()
    assert told == {"state": "QUEUED", "label": "Queued", "under_way": True, "percent": 0}
    assert backtest_runs.run_next() == held
    assert ann.get(f"{path}progress/").json()["under_way"] is False
    said = text_of(ann, path)
    assert "Alerts, about 1 Hits 2 Customers 1 Amount hit that succeeded" in said
    told = ("succeeded (smallest unit) 0", "failed (smallest unit) 0", "is pending (smallest unit) 3,500")
    assert all(f"Amount hit that {each}" in said for each in told)
    assert "Each of them (smallest unit) 1,000 to 2,500" in said
    assert "alice 2" in said
    assert "T2500" in said
    assert "T999" not in said
    day = YESTERDAY.date().isoformat()
    response = ann.get(path)
    assert {"day": day, "hits": 2, "episodes": 1} in response.context["days"]["days"]
    today = datetime.now(UTC).date()
    days = f"{today - timedelta(days=7)} to {today}"
    assert f"Version 1, {days} 2 hits, about 1 alert Done" in text_of(ann, at("rule_change", version.rule_id))


def test_one_of_an_earlier_release_tells_amounts_of_all_hits(ann: Client, version: Version) -> None:
    asked(ann, version)
    assert backtest_runs.run_next() is not None
    held = Backtest.objects.get()
    assert held.result is not None
    for name in ("succeeded", "failed", "pending"):
        del held.result["amounts"][name]
    held.save()
    said = text_of(ann, at("rule_backtest", held.rule_id, held.pk))
    assert "Amount hit, whatever became of it (smallest unit) 3,500" in said
    assert "Amount hit that" not in said


def test_who_may_start_none_sees_the_backtests_there_are(ann: Client, version: Version) -> None:
    bea, _ = member("bea", "view")
    assert "Backtest" not in text_of(bea, at("rule_change", version.rule_id))
    asked(ann, version)
    said = text_of(bea, at("rule_change", version.rule_id))
    assert "Backtest Version 1, " in said
    assert "Try version" not in said


def test_it_is_told_beside_the_version_in_force(ann: Client, version: Version) -> None:
    lifecycle.submit(version)
    bob = User.objects.get(username="bob")
    with pytest.raises(lifecycle.StepRefused):
        lifecycle.approve(version, bob, begin=LONG_AGO)
    again = drafted(author=User.objects.get(username="ann"), amount=2000)
    lifecycle.submit(again)
    lifecycle.approve(again, bob, begin=LONG_AGO)
    asked(ann, version)
    assert backtest_runs.run_next() is not None
    held = Backtest.objects.get()
    said = text_of(ann, at("rule_backtest", held.rule_id, held.pk))
    assert "Beside version 2, then in force" in said
    assert "Hits of both 1 Only of this one, new 1 Only of version 2, gone 0" in said


def test_a_wording_is_tried_before_it_is_kept(ann: Client, version: Version) -> None:
    path = at("rule_draft", version.rule_id)
    typed = {"kind": "amount", "at": "least", "amount": "2,000", "severity": "LOW", "description": ""}
    said = sent(ann, path, **typed, try_it="")
    assert "A wording that is in no version yet" in said
    assert Version.objects.count() == 1
    held = Backtest.objects.get()
    assert (held.version, held.parameters) == (None, {"amount": 2000})
    assert "The rule says The amount is at least 2,000." in text_of(ann, f"{path}?tried={held.pk}")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"first": "yesterday"}, "The first day must be a date like 2026-01-31."),
        ({"last": "2026-02-30"}, "The last day must be a date like 2026-01-31."),
        ({"first": ""}, "The first day must be a date"),
        ({"last": "9999-12-31"}, "The last day must be a date like 2026-01-31."),
        ({"first": "2026-02-01", "last": "2026-01-01"}, "The range must end after it begins."),
        ({"first": "1970-01-01"}, "The range must not be longer than 3,650 days."),
        ({"first": "2999-01-01", "last": "2999-01-02"}, "The range must begin before now"),
        ({"version": "99"}, "There is no such version."),
        ({"version": "x"}, "There is no such version."),
        # A one, of another script.
        ({"version": "\u0661"}, "There is no such version."),
    ],
)
def test_a_range_that_makes_no_sense_is_told_and_stays(
    ann: Client, version: Version, given: dict[str, str], told: str
) -> None:
    assert told in asked(ann, version, **given)
    response = ann.post(at("rule_test", version.rule_id), {"version": "1", "last": "2026-01-01", **given})
    shown = markup(response)
    for name in ("first", "last"):
        assert f'name="{name}" value="{given.get(name, "" if name == "first" else "2026-01-01")}"' in shown
    assert "aria-invalid" in shown
    assert plain(shown)
    assert not Backtest.objects.exists()


def test_an_address_whose_form_was_refused_shows_the_rule_when_it_is_entered_again(
    ann: Client, version: Version
) -> None:
    shown = ann.get(at("rule_test", version.rule_id))
    assert shown.headers["Location"] == at("rule_change", version.rule_id)


def test_too_many_at_once_are_refused_in_words(ann: Client, version: Version) -> None:
    for _ in range(backtest_runs.UNFINISHED_OF_RULE_MAX):
        asked(ann, version)
    assert "5 backtests of this rule wait or run: cancel one" in asked(ann, version)


def test_who_asks_may_cancel(ann: Client, version: Version) -> None:
    asked(ann, version)
    held = Backtest.objects.get()
    assert "Cancelled" in sent(ann, at("rule_backtest_cancel", held.rule_id, held.pk))
    held.refresh_from_db()
    assert held.state == "CANCELLED"
    asked(ann, version)
    done = backtest_runs.run_next()
    assert done is not None
    assert "The backtest has ended" in sent(ann, at("rule_backtest_cancel", done.rule_id, done.pk))


def test_who_may_only_look_sees_it_and_asks_for_none(ann: Client, version: Version) -> None:
    asked(ann, version)
    held = Backtest.objects.get()
    eve, _ = member("eve", "view")
    keys = (held.rule_id, held.pk)
    assert "Cancel it" not in text_of(eve, at("rule_backtest", *keys))
    assert eve.get(at("rule_backtest_progress", *keys)).status_code == 200
    assert eve.post(at("rule_backtest_cancel", *keys)).status_code == 403
    assert eve.post(at("rule_test", version.rule_id)).status_code == 403
    nobody, _ = member("nobody")
    for name in ("rule_backtest", "rule_backtest_progress"):
        assert nobody.get(at(name, *keys)).status_code == 403


def test_a_backtest_of_another_rule_is_a_404(ann: Client, version: Version) -> None:
    asked(ann, version)
    held = Backtest.objects.get()
    other = drafted(name="Another")
    for key in ((other.rule_id, held.pk), (held.rule_id, held.pk + 1), (10**30, 10**30)):
        assert ann.get(at("rule_backtest", *key)).status_code == 404


def test_days_are_those_of_whoever_asks(ann: Client, version: Version) -> None:
    ann.cookies["timezone"] = "Asia/Tokyo"
    here = ZoneInfo("Asia/Tokyo")
    assert ann.get(at("rule_change", version.rule_id)).context["asked"].last == str(datetime.now(here).date())
    first, last = (YESTERDAY.date() - timedelta(days=days) for days in (7, 2))
    said = asked(ann, version, first=str(first), last=str(last))
    held = Backtest.objects.get()
    assert held.begin == datetime(first.year, first.month, first.day, tzinfo=here)
    assert held.end - held.begin == timedelta(days=6)
    assert f"from {first} 00:00 until before {last + timedelta(days=1)} 00:00" in said
    assert held.timezone == "Asia/Tokyo"
    backtest_runs.run_next()
    shown = at("rule_backtest", held.rule_id, held.pk)
    assert "days of" not in text_of(ann, shown)
    ann.cookies["timezone"] = "Europe/Berlin"
    assert "days of Asia/Tokyo" in text_of(ann, shown)


def test_a_wording_that_is_tried_has_the_days_of_whoever_tries_it(ann: Client, version: Version) -> None:
    ann.cookies["timezone"] = "Asia/Tokyo"
    typed = {"kind": "amount", "at": "least", "amount": "2,000", "severity": "LOW", "description": ""}
    sent(ann, at("rule_draft", version.rule_id), **typed, try_it="")
    assert Backtest.objects.get().timezone == "Asia/Tokyo"


def test_one_of_before_there_were_timezones_says_that_its_days_are_of_utc(
    ann: Client, version: Version
) -> None:
    held = backtest_runs.ask(version.rule, version=version)
    backtest_runs.run_next()
    ann.cookies["timezone"] = "Europe/Berlin"
    assert "days of UTC" in text_of(ann, at("rule_backtest", held.rule_id, held.pk))
