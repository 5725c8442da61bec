"""Rules from the command line: what there is, files of them, their way into force, and backtests."""

import json
import sys
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import IntegrityError

from transactions.access.rights import Right, rights_of
from transactions.audit.actors import one_run
from transactions.audit.models import REASON_MAX
from transactions.encodings import checked_words, composed, one_line, printable
from transactions.rules import activity, backtest_runs, documents, lifecycle
from transactions.rules.kinds.kind import Kind
from transactions.rules.kinds.registry import read_kept
from transactions.rules.models import APPROVED, Rule, Version, VersionState
from transactions.rules.schema import schema
from transactions.rules.standing import said_by

from ._backtests import add_range, add_within, run_backtest, show_backtests
from ._output import read_while_wanted
from ._own import OwnCommand
from ._user_lists import add_list_arguments, add_users, end_users, entry_lines, list_lines, make_list, moment

TO_ACTIVATE = (VersionState.SUBMITTED, VersionState.DRAFT, VersionState.SHADOW)
STARTER_WAIT = (
    "FOUR_EYES is on, so the starter rules wait until somebody drafts them "
    "(manage.py rules import --starter --by NAME) and somebody else approves them"
)


class Command(OwnCommand):
    help = "Rules. Exits with status 1 when something is wrong, and then nothing has changed."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_subparsers(dest="what", required=True)
        what.add_parser("list", help="every rule, its state and its sentence")
        what.add_parser("schema", help="the JSON Schema of files of rules")
        show = what.add_parser("show", help="a rule and its versions")
        show.add_argument("name", metavar="NAME")
        check = what.add_parser("check", help="whether a file could be imported; asks no store")
        taking = what.add_parser("import", help="make drafts of a file of rules, all or nothing")
        for each in (check, taking):
            which = each.add_mutually_exclusive_group(required=True)
            which.add_argument("file", nargs="?", metavar="FILE", help="- for standard input")
            which.add_argument("--starter", action="store_true", help="the rules that come along")
        taking.add_argument(
            "--by",
            metavar="USERNAME",
            help="the author, who has the right rules.change; asked for with FOUR_EYES",
        )
        what.add_parser("start", help="where there is no rule: those that come along, in force at once")
        export = what.add_parser("export", help="a file of rules, on standard output")
        export.add_argument(
            "names", nargs="*", metavar="NAME", help="all but retired ones, where none is named"
        )
        export.add_argument(
            "--in-force", action="store_true", help="leave out what only waits to be in force"
        )
        self._add_deciding(what)
        tests = what.add_parser("backtests", help="the newest that were asked for, in the API or a page")
        tests.add_argument("name", nargs="?", metavar="NAME")
        add_within(tests)
        add_list_arguments(what)

    def _add_deciding(self, what: Any) -> None:
        """The steps that a version takes, and what it would have found."""
        activate = what.add_parser("activate", help="approve a version: from the next full minute on")
        retire = what.add_parser("retire", help="end a version at the next full minute")
        giving_up = what.add_parser("give-up", help="never judge what a version that has ended still owes")
        test = what.add_parser("backtest", help="what a version would have found")
        newest, only = "by default the newest", "by default the only one that waits"
        for each, chosen in ((activate, only), (retire, newest), (giving_up, newest), (test, newest)):
            each.add_argument("name", metavar="NAME")
            each.add_argument("--version", type=int, dest="number", metavar="N", help=chosen)
        giving_up.add_argument("--reason", required=True, metavar="TEXT", help="why, for the audit trail")
        deciders = {activate: "who approves; asked for with FOUR_EYES", retire: "who ends it"}
        for each, told in {**deciders, giving_up: "who decides it"}.items():
            each.add_argument("--by", metavar="USERNAME", help=f"{told}; with the right rules.approve")
        activate.add_argument("--shadow", action="store_true", help="hits without alerts")
        activate.add_argument(
            "--since",
            type=moment,
            metavar="MOMENT",
            help="judge what happened since, too: a full minute",
        )
        add_range(test)
        test.add_argument("--json", action="store_true", help="one JSON object")

    @one_run()
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with read_while_wanted(self.stdout):
                getattr(self, f"_{options['what'].replace('-', '_')}")(**options)
        except documents.DocumentRefused as error:
            for problem in error.problems:
                self.stderr.write(printable(str(problem)))
            raise CommandError(f"The file was not taken: {len(error.problems)} wrong.") from error
        except (lifecycle.StepRefused, backtest_runs.BacktestRefused) as error:
            raise CommandError(printable(str(error))) from error
        except IntegrityError as error:
            raise CommandError(f"PostgreSQL refused it ({one_line(error)}).") from error
        except (DatabaseError, psycopg2.Error) as error:
            raise CommandError(f"PostgreSQL does not answer ({one_line(error)}).") from error

    def _list(self, **options: Any) -> None:
        rules = list(Rule.objects.order_by("name").prefetch_related("versions"))
        found = activity.of_rules([rule.pk for rule in rules])
        for rule in rules:
            version = said_by(rule)
            state = "-" if version is None else VersionState(version.state).label
            said = f"{printable(rule.name)}: {_sentence(version)}"
            self.stdout.write(f"{state:<9} {rule.severity:<8} {said}{_findings(found[rule.pk])}")

    def _schema(self, **options: Any) -> None:
        self.stdout.write(json.dumps(schema(), ensure_ascii=False, indent=2))

    def _show(self, *, name: str, **options: Any) -> None:
        rule = _rule(name)
        self.stdout.write(f"{printable(rule.name)} ({rule.severity})\n{printable(rule.description)}")
        for version in rule.versions.select_related("author", "approver").order_by("-number"):
            begin, end = version.effective_from, version.effective_until
            times = f" from {begin:%Y-%m-%d %H:%M} UTC" if begin else ""
            times += f" until {end:%Y-%m-%d %H:%M} UTC" if end else ""
            state = VersionState(version.state).label
            self.stdout.write(f"{version.number}. {state}{times}: {_sentence(version)}")
            people = f"written by {version.author or 'nobody known'}"
            people += f", approved by {version.approver or 'nobody known'}" if version.approved_at else ""
            self.stdout.write(printable(f"   {version.severity}, {people}"))

    def _check(self, *, file: str | None, **options: Any) -> None:
        found = documents.parse(_text(file))
        for worded in found.rules:
            self.stdout.write(f"{worded.name}: {worded.kind.sentence()}")
        self.stdout.write(f"rules: {len(found.rules)}, and nothing is wrong with them")

    def _import(self, *, file: str | None, by: str | None, **options: Any) -> None:
        document, author = documents.parse(_text(file)), _user(by, Right.CHANGE_RULES)
        try:
            drafts, unchanged = documents.import_rules(document, author)
        except lifecycle.AuthorUnknown as error:
            raise CommandError(f"{error} So name the author, --by.") from error
        for version in drafts:
            self.stdout.write(f"draft: {version}")
        self.stdout.write(f"drafts: {len(drafts)}, unchanged: {len(unchanged)}")

    def _start(self, **options: Any) -> None:
        if settings.FOUR_EYES and not Rule.objects.exists():
            # Without an author nobody could approve them, and nobody is the author of a start.
            self.stdout.write(f"no rules were made: {STARTER_WAIT}")
            return
        started = documents.start_with(documents.parse(_text(None)))
        for reason in started.refused:
            self.stderr.write(printable(reason))
        self.stdout.write(f"rules that came into force: {len(started.in_force)}")

    def _export(self, *, names: list[str], in_force: bool, **options: Any) -> None:
        rules = [_rule(name) for name in names] if names else list(Rule.objects.all())
        text = documents.export_rules(rules, retired=bool(names), waiting=not in_force)
        self.stdout.write(text, ending="")

    def _activate(
        self, *, name: str, number: int | None, by: str | None, shadow: bool, since: Any, **options: Any
    ) -> None:
        version = _to_activate(_rule(name), number)
        lifecycle.activate(version, _user(by, Right.APPROVE_RULES), shadow=shadow, begin=since)
        state = VersionState(version.state).label.lower()
        self.stdout.write(f"{version}: {state} from {version.effective_from:%Y-%m-%d %H:%M} UTC")
        self.stdout.write(_sentence(version))

    def _retire(self, *, name: str, number: int | None, by: str | None, **options: Any) -> None:
        version = lifecycle.version_of(_rule(name), number, *APPROVED)
        lifecycle.retire(version, _user(by, Right.APPROVE_RULES))
        end = version.effective_until
        self.stdout.write(f"{version}: retired" + (f" from {end:%Y-%m-%d %H:%M} UTC" if end else ""))

    def _give_up(self, *, name: str, number: int | None, by: str | None, reason: str, **options: Any) -> None:
        user = _user(by, Right.APPROVE_RULES)
        try:
            why = checked_words(reason, "A reason", REASON_MAX)
        except ValueError as error:
            raise CommandError(f"Say why, --reason. {error}") from None
        version = lifecycle.version_of(_rule(name), number, VersionState.RETIRED)
        records = lifecycle.give_up(version, why, user)
        self.stdout.write(f"{version}: given up, about {records:,} records that it had not judged")

    def _backtest(self, *, name: str, number: int | None, **options: Any) -> None:
        version = lifecycle.version_of(_rule(name), number, *VersionState)
        run_backtest(self.stdout, self.stderr, version, options)

    def _backtests(self, *, name: str | None, within: float | None, **options: Any) -> None:
        show_backtests(self.stdout, None if name is None else _rule(name), within)

    def _lists(self, **options: Any) -> None:
        for line in list_lines():
            self.stdout.write(line)

    def _list_show(self, *, name: str, **options: Any) -> None:
        for line in entry_lines(name):
            self.stdout.write(line)

    def _list_make(self, *, name: str, description: str, **options: Any) -> None:
        make_list(name, description)

    def _list_add(
        self, *, name: str, users: list[int], file: str | None, by: str | None, **options: Any
    ) -> None:
        more = {each: options[each] for each in ("comment", "expires")}
        self.stdout.write(add_users(name, users, file, by=_user(by, Right.CHANGE_RULES), **more))

    def _list_end(
        self, *, name: str, users: list[int], file: str | None, by: str | None, **options: Any
    ) -> None:
        self.stdout.write(end_users(name, users, file, by=_user(by, Right.CHANGE_RULES)))


def _findings(found: activity.Activity) -> str:
    """What a rule found lately, as the end of its line; "" where that is nothing."""
    hits, in_shadow = found.hits_7_days, found.shadow_7_days
    if not (hits or in_shadow or found.open_alerts):
        return ""
    shadow = f" In shadow: {activity.counted_in_words(in_shadow)}." if in_shadow else ""
    return (
        f" Raised in 7 days: {activity.counted_in_words(hits)}.{shadow} Open alerts: {found.open_alerts:,}."
    )


def _kind(version: Version) -> Kind:
    return read_kept(version.kind, version.parameters)


def _sentence(version: Version | None) -> str:
    return "no version" if version is None else printable(_kind(version).sentence())


def _to_activate(rule: Rule, number: int | None) -> Version:
    """The version that is meant: of that number, else the only one that waits. Raises CommandError."""
    if number is not None:
        return lifecycle.version_of(rule, number)
    waiting = list(rule.versions.filter(state__in=TO_ACTIVATE).order_by("number"))
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        told = "; ".join(f"{version.number}: {_sentence(version)}" for version in waiting)
        raise CommandError(f"Several versions wait, so name one, --version. {told}")
    active = rule.versions.filter(state=VersionState.ACTIVE).first()
    if active is not None:
        raise CommandError(f"{printable(str(active))} is active already, and no other waits.")
    return lifecycle.version_of(rule, None, *TO_ACTIVATE)


def _rule(name: str) -> Rule:
    found = Rule.objects.filter(name=composed(name)).first()
    if found is None:
        raise CommandError(f"There is no rule “{printable(name)}”.")
    return found


def _user(name: str | None, right: Right) -> Any:
    """The user of that name, who has the right to what is done; None where nobody is named."""
    if name is None:
        return None
    model = get_user_model()
    found = model._default_manager.filter(**{model.USERNAME_FIELD: name}, is_active=True).first()
    if found is None:
        raise CommandError(f"There is no active user “{printable(name)}”.")
    if right not in rights_of(found):
        raise CommandError(f"“{printable(name)}” does not have the right {right}.")
    return found


def _text(file: str | None) -> str:
    """What a file says, up to a byte more than is taken; without one the rules that come along."""
    path = documents.STARTER if file is None else Path(file)
    try:
        if file == "-":
            return sys.stdin.read(documents.DOCUMENT_BYTES_MAX + 1)
        with path.open("rb") as opened:
            return opened.read(documents.DOCUMENT_BYTES_MAX + 1).decode()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path}: this is not UTF-8 (byte {error.start})") from error
