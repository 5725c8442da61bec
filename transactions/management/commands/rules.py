"""Rules from the command line: what there is, files of them, their way into force, and backtests."""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import IntegrityError
from django.utils import timezone

from transactions.intake.rejected import printable
from transactions.rules import backtest_runs, documents, figures, lifecycle
from transactions.rules.kinds.kind import Kind
from transactions.rules.kinds.registry import read
from transactions.rules.models import Rule, Version, VersionState
from transactions.rules.schema import schema

from ._backtests import add_range, add_within, run_backtest, show_backtests
from ._user_lists import add_list_arguments, add_users, end_users, list_lines, make_list, moment

TO_ACTIVATE = (VersionState.SUBMITTED, VersionState.DRAFT, VersionState.SHADOW)
IN_FORCE = (VersionState.ACTIVE, VersionState.SHADOW)
# The hits that the list tells of.
LISTED = timedelta(days=7)


class Command(BaseCommand):
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
        taking.add_argument("--by", metavar="USERNAME", help="the author; asked for with FOUR_EYES")
        what.add_parser("start", help="where there is no rule: those that come along, in force at once")
        export = what.add_parser("export", help="a file of rules, on standard output")
        export.add_argument("names", nargs="*", metavar="NAME", help="all, where none is named")
        activate = what.add_parser("activate", help="approve a version: from the next full minute on")
        retire = what.add_parser("retire", help="end a version at the next full minute")
        test = what.add_parser("backtest", help="what a version would have found")
        for each in (activate, retire, test):
            each.add_argument("name", metavar="NAME")
            each.add_argument("--version", type=int, dest="number", metavar="N", help="by default the newest")
        activate.add_argument("--by", metavar="USERNAME", help="who approves; asked for with FOUR_EYES")
        activate.add_argument("--shadow", action="store_true", help="hits without alerts")
        activate.add_argument(
            "--since",
            type=moment,
            metavar="MOMENT",
            help="judge what happened since, too: a full minute",
        )
        add_range(test)
        test.add_argument("--json", action="store_true", help="one JSON object")
        tests = what.add_parser("backtests", help="the newest that were asked for, in the API or a page")
        tests.add_argument("name", nargs="?", metavar="NAME")
        add_within(tests)
        add_list_arguments(what)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what'].replace('-', '_')}")(**options)
        except documents.DocumentRefused as error:
            for problem in error.problems:
                self.stderr.write(printable(str(problem)))
            raise CommandError(f"The file was not taken: {len(error.problems)} wrong.") from error
        except (lifecycle.StepRefused, backtest_runs.BacktestRefused) as error:
            raise CommandError(printable(str(error))) from error
        except IntegrityError as error:
            raise CommandError(f"PostgreSQL refused it ({str(error).strip()}).") from error
        except (DatabaseError, psycopg2.Error) as error:
            raise CommandError(f"PostgreSQL does not answer ({str(error).strip()}).") from error

    def _list(self, **options: Any) -> None:
        found = {each.rule: each for each in figures.found_since(timezone.now() - LISTED)}
        for rule in Rule.objects.order_by("name").prefetch_related("versions"):
            version = documents.said_by(rule)
            state = "-" if version is None else VersionState(version.state).label
            hits = ""
            if rule.pk in found:
                hits = f" Hits in {LISTED.days} days: {found[rule.pk].hits:,}."
                hits += f" Open alerts: {found[rule.pk].open_alerts:,}."
            said = f"{printable(rule.name)}: {_sentence(version)}"
            self.stdout.write(f"{state:<9} {rule.severity:<8} {said}{hits}")

    def _schema(self, **options: Any) -> None:
        self.stdout.write(json.dumps(schema(), ensure_ascii=False, indent=2))

    def _show(self, *, name: str, **options: Any) -> None:
        rule = _rule(name)
        self.stdout.write(f"{printable(rule.name)} ({rule.severity})\n{printable(rule.description)}")
        for version in rule.versions.order_by("-number"):
            begin, end = version.effective_from, version.effective_until
            times = f" from {begin:%Y-%m-%d %H:%M} UTC" if begin else ""
            times += f" until {end:%Y-%m-%d %H:%M} UTC" if end else ""
            state = VersionState(version.state).label
            self.stdout.write(f"{version.number}. {state}{times}: {_sentence(version)}")

    def _check(self, *, file: str | None, **options: Any) -> None:
        found = documents.parse(_text(file))
        for worded in found.rules:
            self.stdout.write(f"{worded.name}: {worded.kind.sentence()}")
        self.stdout.write(f"rules: {len(found.rules)}, and nothing is wrong with them")

    def _import(self, *, file: str | None, by: str | None, **options: Any) -> None:
        if settings.FOUR_EYES and by is None:
            raise CommandError(
                "FOUR_EYES is on, so whoever approves is not the author: name the author, --by."
            )
        drafts, unchanged = documents.import_rules(documents.parse(_text(file)), _user(by))
        for version in drafts:
            self.stdout.write(f"draft: {version}")
        self.stdout.write(f"drafts: {len(drafts)}, unchanged: {len(unchanged)}")

    def _start(self, **options: Any) -> None:
        started = documents.start_with(documents.parse(_text(None)))
        for reason in started.refused:
            self.stderr.write(printable(reason))
        self.stdout.write(f"rules that came into force: {len(started.in_force)}")

    def _export(self, *, names: list[str], **options: Any) -> None:
        rules = [_rule(name) for name in names] if names else list(Rule.objects.all())
        self.stdout.write(documents.export_rules(rules), ending="")

    def _activate(
        self, *, name: str, number: int | None, by: str | None, shadow: bool, since: Any, **options: Any
    ) -> None:
        version = lifecycle.version_of(_rule(name), number, *TO_ACTIVATE)
        lifecycle.activate(version, _user(by), shadow=shadow, begin=since)
        state = VersionState(version.state).label.lower()
        self.stdout.write(f"{version}: {state} from {version.effective_from:%Y-%m-%d %H:%M} UTC")

    def _retire(self, *, name: str, number: int | None, **options: Any) -> None:
        version = lifecycle.version_of(_rule(name), number, *IN_FORCE)
        lifecycle.retire(version)
        end = version.effective_until
        self.stdout.write(f"{version}: retired" + (f" from {end:%Y-%m-%d %H:%M} UTC" if end else ""))

    def _backtest(self, *, name: str, number: int | None, **options: Any) -> None:
        version = lifecycle.version_of(_rule(name), number, *VersionState)
        run_backtest(self.stdout, self.stderr, version, options)

    def _backtests(self, *, name: str | None, within: float | None, **options: Any) -> None:
        show_backtests(self.stdout, None if name is None else _rule(name), within)

    def _lists(self, **options: Any) -> None:
        for line in list_lines():
            self.stdout.write(line)

    def _list_make(self, *, name: str, description: str, **options: Any) -> None:
        make_list(name, description)

    def _list_add(
        self, *, name: str, users: list[int], file: str | None, by: str | None, **options: Any
    ) -> None:
        more = {each: options[each] for each in ("comment", "expires")}
        self.stdout.write(add_users(name, users, file, by=_user(by), **more))

    def _list_end(self, *, name: str, users: list[int], file: str | None, **options: Any) -> None:
        self.stdout.write(end_users(name, users, file))


def _kind(version: Version) -> Kind:
    return read(version.kind, version.parameters)


def _sentence(version: Version | None) -> str:
    return "no version" if version is None else printable(_kind(version).sentence())


def _rule(name: str) -> Rule:
    found = Rule.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no rule “{printable(name)}”.")
    return found


def _user(name: str | None) -> Any:
    if name is None:
        return None
    model = get_user_model()
    found = model._default_manager.filter(**{model.USERNAME_FIELD: name}, is_active=True).first()
    if found is None:
        raise CommandError(f"There is no active user “{printable(name)}”.")
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
