"""Rules as JSON, for those who keep them in a repository: checked, imported all or nothing, exported.

A document says what `rules.schema` describes. It has the wording of rules, and not their states: what
is imported is a draft. Lists of users are named in it; who stands on them is not.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any, NamedTuple

from django.db import OperationalError, connection, transaction
from django.db.models import (
    Case,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
    prefetch_related_objects,
)
from django.utils import timezone
from psycopg2.errors import LockNotAvailable

from .. import names
from ..alerts.models import Severity
from . import lifecycle
from .kinds.gaps import NAME_MAX, Unfit
from .kinds.kind import Kind, as_json
from .kinds.registry import read, read_kept
from .locks import IMPORT_LOCK
from .models import Rule, UserList, Version, VersionState
from .schema import DESCRIPTION_MAX, LISTS_MAX, RULES_MAX

STARTER = Path(__file__).parent / "starter_rules.json"
DOCUMENT_BYTES_MAX = 1_000_000
# Digits of a number that may still be a whole one.
DIGITS_MAX = 1_000
# What is exported of a rule with several versions: the first of these that there is, its newest version.
PREFERRED = (VersionState.ACTIVE, VersionState.SHADOW, VersionState.SUBMITTED, VersionState.DRAFT)


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


@dataclass(frozen=True, slots=True)
class Worded:
    """A rule of a document, and the line at which it begins."""

    line: int
    name: str
    severity: str
    description: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Document:
    rules: list[Worded]
    # Name and description.
    lists: dict[str, str]


class Imported(NamedTuple):
    """The drafts that were made, and the names of rules that say already what the document says."""

    drafts: list[Version]
    unchanged: list[str]


def parse(text: str) -> Document:
    """A document, checked by itself. Raises DocumentRefused, with a problem for each rule that has one."""
    whole = _decoded(text)
    problems: list[Problem] = []
    lists = _lists(whole.get("lists", []), list(_lines(text, "lists")), problems)
    rules = _rules(whole.get("rules"), list(_lines(text, "rules")), lists, problems)
    unknown = [name for name in whole if name not in ("lists", "rules")]
    for name in unknown[: names.TOLD_MAX]:
        told = names.shortened(name)
        problems.append(Problem(1, "", f"there is no “{told}” in a document of rules"))
    if problems:
        raise DocumentRefused(sorted(problems))
    return Document(rules, lists)


def import_rules(document: Document, author: Any = None) -> Imported:
    """Makes drafts of all rules of a document, and the lists that are not there yet; all or nothing.

    A rule is known by its name. Where its newest version says the same already, its severity and
    description too, there is no other draft. Raises DocumentRefused for what PostgreSQL alone can tell,
    and django.db.Error.
    """
    drafts: list[Version] = []
    unchanged: list[str] = []
    with transaction.atomic():
        _one_at_a_time()
        for name, description in document.lists.items():
            UserList.objects.get_or_create(name=name, defaults={"description": description})
        for worded in document.rules:
            said: dict[str, Any] = {"severity": worded.severity, "description": worded.description}
            rule, _ = Rule.objects.get_or_create(name=worded.name, defaults=said)
            newest = rule.versions.order_by("-number").first()
            wording: dict[str, Any] = {"kind": worded.kind.name, "parameters": as_json(worded.kind), **said}
            if newest is not None and all(getattr(newest, name) == wording[name] for name in wording):
                unchanged.append(worded.name)
            else:
                try:
                    drafts.append(lifecycle.draft(rule, author=author, **wording))
                except Unfit as unfit:
                    reason = f"parameters.{unfit.gap}: {unfit.message}"
                    raise DocumentRefused([Problem(worded.line, f"“{worded.name}”", reason)]) from None
    return Imported(drafts, unchanged)


def _one_at_a_time() -> None:
    """Until this transaction ends no other file is taken: two that name the same in another order would
    wait for each other for ever. Raises StepRefused where another one takes too long.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {lifecycle.LOCK_MS_MAX}")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        raise lifecycle.StepRefused("Another file of rules is being taken. Try again.") from None


class Started(NamedTuple):
    """The versions that came into force, and what was said of each that had to stay a draft."""

    in_force: list[Version]
    refused: list[str]


def start_with(document: Document) -> Started:
    """Where there is no rule at all, the rules of a document come into force, from this minute on.

    Where there is any nothing happens, so that a second start leaves alone what people made of them.
    With FOUR_EYES all stay drafts. Raises django.db.Error.
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


def export_rules(rules: Iterable[Rule]) -> str:
    """A document of rules, by name: of each the version in force, or the newest that is to be, or was.

    One that cannot be read any more is there too, as it was written: whoever imports it is told why.
    """
    worded = []
    lists: set[str] = set()
    rules = sorted(rules, key=lambda rule: rule.name)
    prefetch_related_objects(rules, "versions")
    for rule in rules:
        version = said_by(rule)
        if version is None:
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


def with_said(rules: QuerySet[Rule]) -> QuerySet[Any]:
    """The rules, each with key, state and kind of what `said_by` finds: said_pk, said_state, said_kind."""
    place = Case(
        *(When(state=state, then=Value(place)) for place, state in enumerate(PREFERRED)),
        default=Value(len(PREFERRED)),
        output_field=IntegerField(),
    )
    versions = Version.objects.filter(rule=OuterRef("pk")).order_by(place, "-number")
    said = {f"said_{name}": Subquery(versions.values(name)[:1]) for name in ("pk", "state", "kind")}
    return rules.annotate(**said)


def said_by(rule: Rule) -> Version | None:
    """The version that stands for a rule: in force, else the newest that is to be, else the newest."""
    # Sorted here: those that were fetched for many rules at once are not asked for again.
    versions = sorted(rule.versions.all(), key=lambda version: -version.number)
    for state in PREFERRED:
        for version in versions:
            if version.state == state:
                return version
    return versions[0] if versions else None


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


def _check_each_once(given: Any) -> None:
    """Raises ValueError where a name stands twice in an object of `given`, however deep."""
    left = [given]
    while left:
        held = left.pop()
        if isinstance(held, names.Repeated):
            raise ValueError(_said_twice(held))
        left.extend(held.values() if isinstance(held, dict) else held if isinstance(held, list) else ())


def _whole(digits: str) -> int | Decimal:
    """A whole number. Of very many digits Python makes none, and no gap takes one: it says so itself."""
    return int(digits) if len(digits) <= DIGITS_MAX else Decimal(digits)


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _lines(text: str, key: str) -> Iterator[int]:
    """The lines at which the items of the array `key` of a text begin, which is known to be JSON."""
    decoder, blank = json.JSONDecoder(parse_int=_whole), re.compile(r"[\s,:]*")
    at = text.index("{") + 1
    while text[at := blank.match(text, at).end()] != "}":  # type: ignore[union-attr]
        name, at = scanstring(text, at + 1)
        at = blank.match(text, at).end()  # type: ignore[union-attr]
        if name != key or text[at] != "[":
            _, at = decoder.raw_decode(text, at)
            continue
        at += 1
        line, counted = 1, 0
        while text[at := blank.match(text, at).end()] != "]":  # type: ignore[union-attr]
            line, counted = line + text.count("\n", counted, at), at
            yield line
            _, at = decoder.raw_decode(text, at)
        at += 1


def _lists(given: Any, lines: list[int], problems: list[Problem]) -> dict[str, str]:
    if not isinstance(given, list) or len(given) > LISTS_MAX:
        problems.append(Problem(1, "", f"“lists” must be an array of at most {LISTS_MAX}"))
        return {}
    found: dict[str, str] = {}
    for number, (line, each) in enumerate(zip(lines, given, strict=True), 1):
        try:
            _check_each_once(each)
            _check_names(each, {"name"}, {"name", "description"})
            name = checked_name(each["name"])
            if name in found:
                raise ValueError(f"the list “{name}” stands there twice")
            found[name] = checked_description(each.get("description", ""))
        except ValueError as error:
            problems.append(Problem(line, f"list {number}", str(error)))
    return found


def _rules(given: Any, lines: list[int], lists: dict[str, str], problems: list[Problem]) -> list[Worded]:
    if not isinstance(given, list) or len(given) > RULES_MAX:
        problems.append(Problem(1, "", f"“rules” must be an array of at most {RULES_MAX}"))
        return []
    found: list[Worded] = []
    seen: set[str] = set()
    for number, (line, each) in enumerate(zip(lines, given, strict=True), 1):
        where = f"rule {number}"
        try:
            _check_each_once(each)
            worded = _worded(line, each, lists)
            where += f" “{worded.name}”"
            if worded.name in seen:
                raise ValueError("the name stands there twice")
            seen.add(worded.name)
            found.append(worded)
        except Unfit as error:
            problems.append(Problem(line, where, f"{error.place}: {error.message}"))
        except ValueError as error:
            problems.append(Problem(line, where, str(error)))
    return found


def _worded(line: int, given: Any, lists: dict[str, str]) -> Worded:
    required = {"name", "kind", "parameters"}
    _check_names(given, required, required | {"severity", "description"})
    name = checked_name(given["name"])
    severity = checked_severity(given.get("severity", Severity.MEDIUM.value))
    description = checked_description(given.get("description", ""))
    kind = read(given["kind"], given["parameters"])
    for gap, named in kind.lists():
        if named not in lists:
            raise Unfit(gap, f"the list “{named}” does not stand under “lists”")
    return Worded(line, name, severity, description, kind)


def _check_names(given: Any, required: set[str], known: set[str]) -> None:
    if not isinstance(given, dict):
        raise ValueError("it must be an object")
    if missing := sorted(required - given.keys()):
        raise ValueError(f"“{missing[0]}” is missing")
    if unknown := sorted(given.keys() - known):
        told = names.suggestion(unknown[0], sorted(known))
        raise ValueError(f"there is no “{names.shortened(unknown[0])}”{told}")


def checked_severity(given: Any) -> str:
    """A severity from JSON. Raises ValueError, which says what would be one; so do the next two."""
    if not isinstance(given, str) or given not in Severity.values:
        raise ValueError(f"the severity must be one of {', '.join(Severity.values)}")
    return given


def checked_name(given: Any) -> str:
    """The name of a rule or a list, without space around it."""
    name = given.strip() if isinstance(given, str) and given.isprintable() else ""
    if not name or len(given) > NAME_MAX:
        raise ValueError(f"the name must be a printable text of 1 to {NAME_MAX} characters")
    return name


def checked_description(given: Any) -> str:
    """What is said of a rule or a list."""
    if not isinstance(given, str) or len(given) > DESCRIPTION_MAX or re.search("[\0\ud800-\udfff]", given):
        raise ValueError(f"the description must be a text of at most {DESCRIPTION_MAX} characters")
    return given
