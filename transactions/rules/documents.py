"""Rules as JSON, for those who keep them in a repository: checked, imported all or nothing, exported.

A document says what `rules.schema` describes. It has the wording of rules, and not their states: what
is imported is a draft. Lists of users are named in it; who stands on them is not.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import prefetch_related_objects
from django.utils import timezone
from psycopg2.errors import LockNotAvailable

from .. import names
from ..severity import Severity
from . import lifecycle, taken_names
from .kinds.gaps import Unfit
from .kinds.kind import Kind, as_json
from .kinds.registry import read, read_kept
from .locks import IMPORT_LOCK
from .models import Rule, UserList, Version, VersionState
from .places import Lines, Place
from .schema import LISTS_MAX, RULES_MAX
from .standing import PREFERRED, said_by
from .texts import checked_description, checked_name, checked_severity

STARTER = Path(__file__).parent / "starter_rules.json"
# What starter rules were called before: where they came along so, they are not made once more.
FORMERLY = {"Small amounts that fail": "Failures in a row"}
DOCUMENT_BYTES_MAX = 1_000_000
# Digits of a number that may still be a whole one.
DIGITS_MAX = 1_000


class Problem(NamedTuple):
    """What is wrong with a document: its line, which rule or list it is ("rule 2"), and why."""

    line: int
    where: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.where}{': ' if self.where else ''}{self.reason}"


class DocumentRefused(Exception):
    """A document that cannot be taken; `problems` are in the order of its lines, and at least one."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class Wrong(NamedTuple):
    """A problem before its line is known: the place at which it stands instead."""

    place: Place
    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Worded:
    """A rule of a document; severity and description are None where it says nothing of them."""

    place: Place
    name: str
    severity: str | None
    description: str | None
    kind: Kind

    def told(self, before: Version | None = None) -> dict[str, str]:
        """Severity and description, by default those of the version before."""
        severity = Severity.MEDIUM.value if before is None else before.severity
        description = "" if before is None else before.description
        return {
            "severity": severity if self.severity is None else self.severity,
            "description": description if self.description is None else self.description,
        }


@dataclass(frozen=True, slots=True)
class Document:
    text: str
    rules: list[Worded]
    # Name and description.
    lists: dict[str, str]


class Imported(NamedTuple):
    """The drafts that were made, and the names of rules that say already what the document says."""

    drafts: list[Version]
    unchanged: list[str]


def parse(text: str) -> Document:
    """A document, checked by itself. Raises DocumentRefused, with all that is wrong with it.

    Which names differ in case alone PostgreSQL says, when it is imported.
    """
    whole = _decoded(text)
    wrong: list[Wrong] = []
    lists = _lists(whole.get("lists", []), wrong)
    rules = _rules(whole.get("rules"), lists, wrong)
    unknown = [name for name in whole if name not in ("lists", "rules")]
    for name in unknown[: names.TOLD_MAX]:
        wrong.append(Wrong((name,), "", f"there is no “{names.shortened(name)}” in a document of rules"))
    if wrong:
        lines = Lines(text)
        problems = [Problem(lines.of(each.place), each.where, each.reason) for each in wrong]
        raise DocumentRefused(sorted(problems, key=lambda problem: problem.line))
    return Document(text, rules, lists)


def import_rules(document: Document, author: Any = None) -> Imported:
    """Makes drafts of all rules of a document, and the lists that are not there yet; all or nothing.

    A rule is known by its name. Where the version that stands for it says the same already, or one that
    waits to come into force, there is no other draft. Severity and description of which the document
    says nothing stay as they are. Raises DocumentRefused for what PostgreSQL alone can tell,
    django.db.Error, and with FOUR_EYES lifecycle.AuthorUnknown.
    """
    lifecycle.check_author(author)
    drafts: list[Version] = []
    unchanged: list[str] = []
    with transaction.atomic():
        _one_at_a_time()
        _check_names(document)
        known = set(UserList.objects.filter(name__in=document.lists).values_list("name", flat=True))
        for name, description in document.lists.items():
            if name not in known:
                UserList.objects.get_or_create(name=name, defaults={"description": description})
        # With their versions, all at once: a file of a thousand rules may change none.
        named = [worded.name for worded in document.rules]
        named += [FORMERLY[name] for name in named if name in FORMERLY]
        there = {each.name: each for each in Rule.objects.filter(name__in=named).prefetch_related("versions")}
        for worded in document.rules:
            rule, made = there.get(worded.name) or there.get(FORMERLY.get(worded.name, "")), False
            if rule is None:
                rule, made = Rule.objects.get_or_create(name=worded.name, defaults=worded.told())
            stands = None if made else said_by(rule)
            wording: dict[str, Any] = {
                "kind": worded.kind.name,
                "parameters": as_json(worded.kind),
                **worded.told(stands),
            }
            if not made and any(_says(version, wording) for version in _known(rule, stands)):
                unchanged.append(worded.name)
            else:
                try:
                    drafts.append(lifecycle.draft(rule, author=author, **wording))
                except Unfit as unfit:
                    line = Lines(document.text).of((*worded.place, *unfit.place.split(".")))
                    reason = f"{unfit.place}: {unfit.message}"
                    raise DocumentRefused([Problem(line, f"“{worded.name}”", reason)]) from None
    return Imported(drafts, unchanged)


def _check_names(document: Document) -> None:
    """Raises DocumentRefused for names that differ in case alone from those there are."""
    lines, problems = Lines(document.text), []
    rules = [worded.name for worded in document.rules]
    for what, model, said in (("list", UserList, list(document.lists)), ("rule", Rule, rules)):
        told = taken_names.told_of_case(model, said)
        for number in taken_names.twice(said):
            told.setdefault(said[number], f"“{said[number]}” stands there twice, in another case")
        for number, name in enumerate(said):
            if name in told:
                line = lines.of((f"{what}s", number, "name"))
                problems.append(Problem(line, f"{what} {number + 1}", told[name]))
    if problems:
        raise DocumentRefused(problems)


def _one_at_a_time() -> None:
    """Until this transaction ends no other file is taken: two that name the same in another order would
    wait for each other for ever. Raises StepRefused where another one takes too long.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {lifecycle.STEP_LOCK_MS_MAX}")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        raise lifecycle.StepRefused("Another file of rules is being taken. Try again.") from None


def _known(rule: Rule, stands: Version | None) -> list[Version]:
    """The versions beside which another draft that says the same would be one too many."""
    known = [each for each in rule.versions.all() if each.state in PREFERRED]
    if stands is not None:
        known.append(stands)
    # With FOUR_EYES nobody can approve what nobody has written.
    return [each for each in known if not (settings.FOUR_EYES and each.author_id is None and _is_open(each))]


def _is_open(version: Version) -> bool:
    return version.state in (VersionState.DRAFT, VersionState.SUBMITTED)


def _says(version: Version, wording: dict[str, Any]) -> bool:
    return all(getattr(version, name) == value for name, value in wording.items())


class Started(NamedTuple):
    """The versions that came into force, and what was said of each that had to stay a draft."""

    in_force: list[Version]
    refused: list[str]


def start_with(document: Document) -> Started:
    """Where there is no rule at all, the rules of a document come into force, from this minute on.

    Where there is any nothing happens, so that a second start leaves alone what people made of them.
    Raises django.db.Error, and with FOUR_EYES lifecycle.AuthorUnknown.
    """
    started = Started([], [])
    with transaction.atomic():
        if Rule.objects.exists():
            return started
        begin = timezone.now().replace(second=0, microsecond=0)
        for version in import_rules(document).drafts:
            try:
                lifecycle.activate(version, None, begin=begin)
                started.in_force.append(version)
            except lifecycle.StepRefused as error:
                started.refused.append(f"{version} stays a draft: {error}")
    return started


def export_rules(rules: Iterable[Rule], *, retired: bool = False, waiting: bool = True) -> str:
    """A document of rules, by name: of each the version in force, else the newest that waits to be.

    Those of which no version is in force any more, or waits to be, are left out unless `retired`; those
    of which none is in force yet too, unless `waiting`. One that cannot be read any more is there too, as
    it was written: whoever imports it is told why.
    """
    worded = []
    lists: set[str] = set()
    rules = sorted(rules, key=lambda rule: rule.name)
    prefetch_related_objects(rules, "versions")
    for rule in rules:
        version = said_by(rule)
        if version is None or (version.state == VersionState.RETIRED and not retired):
            continue
        if _is_open(version) and not waiting:
            continue
        lists.update(name for _, name in read_kept(version.kind, version.parameters).lists())
        worded.append(
            {
                "name": rule.name,
                "severity": version.severity,
                "description": version.description,
                "kind": version.kind,
                "parameters": version.parameters,
            }
        )
    named = UserList.objects.filter(name__in=lists).order_by("name").values("name", "description")
    return json.dumps({"lists": list(named), "rules": worded}, ensure_ascii=False, indent=2) + "\n"


# --- Reading -----------------------------------------------------------------------------------


def _decoded(text: str) -> dict[str, Any]:
    if len(text.encode(errors="surrogatepass")) > DOCUMENT_BYTES_MAX:
        raise DocumentRefused([Problem(1, "", f"a document has at most {DOCUMENT_BYTES_MAX} bytes")])
    try:
        whole = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise DocumentRefused([Problem(error.lineno, "", f"this is not JSON: {error.msg}")]) from None
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise DocumentRefused([Problem(1, "", reason)]) from None
    if not isinstance(whole, dict):
        raise DocumentRefused([Problem(1, "", "a document of rules is an object")])
    if isinstance(whole, names.Repeated):
        raise DocumentRefused([Problem(1, "", _said_twice(whole))])
    return whole


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; where a name stands twice, which of them is told with its line when that is known."""
    counted = Counter(name for name, _ in pairs)
    twice = [name for name, number in counted.items() if number > 1]
    return names.Repeated(pairs, twice) if twice else dict(pairs)


def _said_twice(given: names.Repeated) -> str:
    return f"“{names.shortened(min(given.twice))}” stands twice in one object"


def _whole(digits: str) -> int | Decimal:
    """A whole number. Of very many digits Python makes none, and no gap takes one: it says so itself."""
    return int(digits) if len(digits) <= DIGITS_MAX else Decimal(digits)


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _lists(given: Any, wrong: list[Wrong]) -> dict[str, str]:
    if not isinstance(given, list) or len(given) > LISTS_MAX:
        wrong.append(Wrong(("lists",), "", f"“lists” must be an array of at most {LISTS_MAX}"))
        return {}
    found: dict[str, str] = {}
    for number, each in enumerate(given):
        reading = _Reading(("lists", number), f"list {number + 1}", wrong)
        if not reading.says_each_once(each):
            continue
        if not reading.has_names(each, {"name"}, {"name", "description"}):
            continue
        name = reading.checked(each, "name", checked_name)
        description = reading.checked(each, "description", checked_description)
        if name is not None and name in found:
            reading.tell(f"the list “{name}” stands there twice", "name")
        if name is not None:
            found[name] = description or ""
    return found


def _rules(given: Any, lists: dict[str, str], wrong: list[Wrong]) -> list[Worded]:
    if not isinstance(given, list) or len(given) > RULES_MAX:
        wrong.append(Wrong(("rules",), "", f"“rules” must be an array of at most {RULES_MAX}"))
        return []
    found: list[Worded] = []
    seen: set[str] = set()
    for number, each in enumerate(given):
        reading = _Reading(("rules", number), f"rule {number + 1}", wrong)
        if not reading.says_each_once(each):
            continue
        worded = _worded(reading, each, lists)
        name = each.get("name") if isinstance(each, dict) else None
        name = name.strip() if isinstance(name, str) else None
        if name in seen:
            reading.where += f" “{names.shortened(name)}”"
            reading.tell("the name stands there twice", "name")
        elif name is not None:
            seen.add(name)
        if worded is not None:
            found.append(worded)
    return found


def _worded(reading: "_Reading", given: Any, lists: dict[str, str]) -> Worded | None:
    """None where something is wrong with it."""
    required = {"name", "kind", "parameters"}
    if not reading.has_names(given, required, required | {"severity", "description"}):
        return None
    name = reading.checked(given, "name", checked_name)
    severity = reading.checked(given, "severity", checked_severity)
    description = reading.checked(given, "description", checked_description)
    kind: Kind | None = None
    if {"kind", "parameters"} <= given.keys():
        try:
            kind = read(given["kind"], given["parameters"])
        except Unfit as unfit:
            for each in (unfit, *unfit.others):
                reading.tell_gap(each)
    for gap, named in () if kind is None else kind.lists():
        if named not in lists:
            reading.tell_gap(Unfit(gap, f"the list “{named}” does not stand under “lists”"))
    if name is None or kind is None or reading.found:
        return None
    return Worded(reading.place, name, severity, description, kind)


@dataclass(slots=True)
class _Reading:
    """One rule or list of a document that is read, and what is wrong with it."""

    place: Place
    where: str
    wrong: list[Wrong]
    found: bool = False

    def tell(self, reason: str, *within: str) -> None:
        self.wrong.append(Wrong((*self.place, *within), self.where, reason))
        self.found = True

    def tell_gap(self, unfit: Unfit) -> None:
        self.tell(f"{unfit.place}: {unfit.message}", *unfit.place.split("."))

    def checked(self, given: dict[str, Any], name: str, check: Callable[[Any], str]) -> str | None:
        """What stands under a name; None where nothing does, or what makes no sense."""
        try:
            return check(given[name]) if name in given else None
        except ValueError as error:
            self.tell(str(error), name)
            return None

    def says_each_once(self, given: Any) -> bool:
        """Whether no name stands twice in an object, however deep; tells of the first that does."""
        left = [given]
        while left:
            held = left.pop()
            if isinstance(held, names.Repeated):
                self.tell(_said_twice(held))
                return False
            left.extend(held.values() if isinstance(held, dict) else held if isinstance(held, list) else ())
        return True

    def has_names(self, given: Any, required: set[str], known: set[str]) -> bool:
        """Whether it is an object; tells which names it lacks, and which there are not."""
        if not isinstance(given, dict):
            self.tell("it must be an object")
            return False
        if missing := sorted(required - given.keys()):
            others = "".join(f", and so is “{name}”" for name in missing[1:])
            self.tell(f"“{missing[0]}” is missing{others}")
        for name in sorted(given.keys() - known)[: names.TOLD_MAX]:
            told = names.suggestion(name, sorted(known))
            self.tell(f"there is no “{names.shortened(name)}”{told}", name)
        return True
