"""`manage.py rules backtest` and `backtests`: what they take, do and print."""

import sys
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser, OutputWrapper

from transactions.client.status_line import StatusLine
from transactions.encodings import printable
from transactions.rules import backtest, backtest_runs
from transactions.rules.kinds.gaps import Unfit
from transactions.rules.kinds.registry import read
from transactions.rules.kinds.wording import counted
from transactions.rules.models import Backtest, Rule, Version
from transactions.timezones import zone_names

from ._posting import positive
from ._user_lists import moment

LISTED = 20


def add_range(parser: CommandParser) -> None:
    """--days, --from, --to, and whose days."""
    since = parser.add_mutually_exclusive_group()
    since.add_argument(
        "--days", type=days, metavar="DAYS", help=f"so many up to --to; {backtest_runs.RANGE_DAYS}"
    )
    since.add_argument("--from", type=moment, dest="begin", metavar="MOMENT", help="what happened from here")
    parser.add_argument("--to", type=moment, dest="end", metavar="MOMENT", help="until before here; now")
    parser.add_argument(
        "--timezone", type=zone, default="UTC", metavar="ZONE", help="whose days hits are counted by; UTC"
    )


def days(text: str) -> int:
    """A number of days, as a range may have."""
    most = backtest_runs.RANGE_DAYS_MAX
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {most}")
    return int(text)


def zone(text: str) -> str:
    """The name of a timezone."""
    if text not in zone_names():
        raise ArgumentTypeError(f"{text!r} is no timezone: expected a name as in Europe/London or UTC")
    return text


def add_within(parser: CommandParser) -> None:
    """--within, for health checks."""
    parser.add_argument(
        "--within",
        type=positive,
        metavar="S",
        help="status 1 where one has waited for more seconds while no worker runs any",
    )


def run_backtest(out: OutputWrapper, err: OutputWrapper, version: Version, options: dict[str, Any]) -> None:
    """Runs a backtest here and now, and prints what came of it. Ends with status 130 on Ctrl-C."""
    status = StatusLine(err)

    def progress(done: int, total: int) -> bool:
        if status.on_terminal:
            status.show(lambda: f"{100 * done // max(total, 1)} % ({done:,} of {total:,})")
        return True

    begin, end = backtest_runs.range_of(options["begin"], options["end"], options["days"])
    active = backtest_runs.beside(version.rule, version)
    try:
        kind = read(version.kind, version.parameters)
        other = None if active is None else read(active.kind, active.parameters)
    except Unfit as unfit:
        raise CommandError(f"A version cannot be read: {printable(unfit.message)}") from None
    try:
        result = backtest.run(
            kind,
            begin,
            end,
            beside=other,
            rule=version.rule_id,
            timezone=options["timezone"],
            progress=progress,
        )
    except KeyboardInterrupt:
        status.say("Cancelled: nothing was changed.")
        sys.exit(130)
    if status.on_terminal:
        status.say("")
    if options["json"]:
        out.write(result.as_json())
        return
    out.write(f"{printable(str(version))}: {printable(kind.sentence())}\n{result}")
    for each in result.sample[:3]:
        why = f" ({each.explanation})" if each.explanation else ""
        out.write(printable(f"for example {each.transaction_id or 'a moment'} of {each.happened_at}{why}"))
    if active is not None and result.both is None:
        out.write(f"beside version {active.number}: the two look at different things, and share no hits")
    elif active is not None:
        out.write(
            f"beside version {active.number}: {result.both:,} of both, {result.only_this:,} of this alone, "
            f"{result.only_other:,} of that alone"
        )


def show_backtests(out: OutputWrapper, rule: Rule | None, within_s: float | None) -> None:
    """Prints the newest backtests, of a rule or of all."""
    waits = None if within_s is None else backtest_runs.waits_in_vain(timedelta(seconds=within_s))
    if waits is not None:
        raise CommandError(
            f"Backtest {waits.pk} waits since {waits.asked_at:%Y-%m-%d %H:%M} UTC, and none runs: does a "
            "worker of the queue “backtests”?"
        )
    found = Backtest.objects.select_related("rule", "version", "asked_by").order_by("-id")
    for run in (found if rule is None else found.filter(rule=rule))[:LISTED]:
        what = f"version {run.version.number}" if run.version else "a wording of its own"
        how = (
            run.state
            if run.state != "RUNNING"
            else f"{run.state} {100 * run.steps_done // (run.steps or 1)} %"
        )
        told = (
            f": {counted(run.result['hits'], 'hit')}" if run.result else f": {run.error}" if run.error else ""
        )
        out.write(printable(f"{run.pk} {run.asked_at:%Y-%m-%d %H:%M} {how} {run.rule.name}, {what}{told}"))
