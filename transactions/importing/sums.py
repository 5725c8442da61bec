"""Sums and records as people read them at a command's end: money in the unit of the file."""

import json
from collections.abc import Iterable, Iterator

from .. import money
from .plan import Plan, RowSum, Summary
from .posting import ImportProgress, Sums

# Reasons of refusals that are told, the most frequent.
REASONS_MAX = 50


def money_text(smallest: int, decimals: int) -> str:
    """An amount of the smallest unit in the deployment's currency, or with the decimals of the file."""
    if money.code():
        return money.text(smallest)
    whole, fraction = divmod(abs(smallest), 10**decimals)
    point = f".{fraction:0{decimals}}" if decimals else ""
    return f"{'-' if smallest < 0 else ''}{whole:,}{point}"


def rows_text(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def of_plan(found: Plan) -> Iterator[str]:
    """What would happen: rows, sums before and after, refusals by reason, and the first records."""
    summary, decimals = found.summary, found.mapping.decimals or 0
    refused = sum(summary.refusals.values())
    yield (
        f"{rows_text(summary.rows)}: {summary.records:,} to post, {summary.replays:,} the same once more, "
        f"{refused:,} refused" + (f", {summary.passed_over:,} passed over" if summary.passed_over else "")
    )
    yield from _equal(summary)
    yield from _table(_sums(summary), decimals)
    for reason, count in summary.refusals.most_common(REASONS_MAX):
        yield f"  {count:>9,}  {reason}"
    if (more := len(summary.refusals) - REASONS_MAX) > 0:
        yield f"  … and {more:,} other reasons"
    for word, count in summary.unknown_statuses.most_common(REASONS_MAX):
        ways = "with SUCCESS, PENDING or FAILED for …"
        yield f"  say what {word!a} means ({rows_text(count)}): --status {word!a}=…, {ways}"


def first_records(summary: Summary) -> Iterator[str]:
    """The first records, each as a line of JSON."""
    for planned in summary.first:
        yield f"line {planned.line}: {json.dumps(planned.record, ensure_ascii=True, default=str)}"


def of_end(progress: ImportProgress, found: Plan) -> Iterator[str]:
    """What became of the file, in money too, and how much of it was not reached."""
    yield from progress.summary()
    told = [
        *_by_status("accepted", progress.accepted_money),
        *_by_status("replayed", progress.replayed_money),
        *_by_status("accepted or replayed", progress.either_money),
        ("refused, whatever their status", progress.refused_money),
    ]
    yield from _table([(name, sum) for name, sum in told if sum.rows], found.mapping.decimals or 0)
    yield from _of_doubt(progress)
    yield from _equal(found.summary)
    if found.mapping.ids == "content" and progress.replayed:
        yield (
            f"{rows_text(progress.replayed)} in already, by a run before or as equal rows of another file: "
            "ids are made of content, and there they are the same transactions"
        )
    if (left := found.summary.rows - found.summary.passed_over - progress.rows) > 0:
        yield f"{rows_text(left)} not reached, behind line {progress.line:,}: the same again goes on there"
    elif progress.replayed and not progress.accepted:
        refused = " that is not refused" if progress.refused else ""
        yield f"nothing is new: every row{refused} had been posted before"
        return
    if progress.before_line:
        yield f"a run before had come to line {progress.before_line:,}: up to there nothing is new"


def _of_doubt(progress: ImportProgress) -> Iterator[str]:
    """What the API does not tell: the rows are known exactly, and not which row was which."""
    if rows := sum(each.rows for each in progress.either_money.values()):
        before = rows - progress.either_accepted
        yield (
            f"of the {rows_text(rows)} accepted or replayed {progress.either_accepted:,} were accepted now "
            f"and {before:,} before: a batch had both, and the API does not name which"
        )
    if progress.resent_rows:
        yield (
            f"{rows_text(progress.resent_rows)} told as replayed may be of this run: the answer to an "
            "earlier try was lost, and it may have brought them in"
        )


def _equal(summary: Summary) -> Iterator[str]:
    """What nobody can tell apart by what is in the file."""
    if summary.equal:
        are = "is" if summary.equal == 1 else "are"
        yield (
            f"{rows_text(summary.equal)} {are} equal to earlier ones of this file, but for the status: each "
            "is a transaction of its own"
        )


def _sums(summary: Summary) -> list[tuple[str, RowSum]]:
    told = [("in the file, with signs, whatever their status", summary.in_file)]
    told += _by_status("to post", summary.by_status)
    told += [("refused, whatever their status", summary.refused)]
    return [(name, sum) for name, sum in told if sum.rows]


def _by_status(what: str, sums: Sums) -> list[tuple[str, RowSum]]:
    return [(f"{what} as {status}", sum) for status, sum in sorted(sums.items())]


def _table(told: Iterable[tuple[str, RowSum]], decimals: int) -> Iterator[str]:
    for name, sum in told:
        yield f"  {money_text(sum.sum, decimals):>24}  {name}, {rows_text(sum.rows)}"
