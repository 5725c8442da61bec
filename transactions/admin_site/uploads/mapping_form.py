"""What a file means, as a form: a field for each key of the mapping."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ... import money
from ...importing import mapping as mappings
from ...importing.agreement import PROVED
from ...importing.columns.moments import EXAMPLES
from ...importing.columns.proofs import ColumnError, OpenQuestion
from ...importing.columns.statuses import KNOWN, plain
from ...importing.guess import guess
from ...importing.headers import is_of_kinds
from ...importing.keys import BESIDE, DATES, FIELDS, NONE_PASSED_OVER, OF_WORDS
from ...importing.mapping import MappingError
from ...importing.plan import Summary, plan
from ...importing.table import FileError, Table
from ...importing.users import FileUsers
from ...importing.wording import named_by
from ...uploads import told
from ...uploads.labels import USERS, as_field, label_of
from ...uploads.models import Upload

# Words of statuses that are asked one by one; characters of what is typed into a field.
WORDS_MAX, TYPED_CHARACTERS_MAX = 30, 500
# Questions that a page asks at once, and columns of kinds that have fields though nothing is asked of them.
ASKED_MAX, KINDS_MAX = 30, 30
Choices = tuple[tuple[str, str], ...]
# Of a column that nobody has chosen: "none" is an answer, and this is none. No column is called so.
UNANSWERED = " "

MONEY, WHO, STATES, TIMES = "Money", "Customers and ids", "Statuses", "Dates"
_COLUMNS = {
    "amount": MONEY,
    "debit": MONEY,
    "credit": MONEY,
    "direction": MONEY,
    "currency": MONEY,
    "transaction_id": WHO,
    "user": WHO,
    "refund_user": WHO,
    "status": STATES,
    "created_at": TIMES,
    "time": TIMES,
    "timezone": TIMES,
}
_AMOUNTS = ("columns.amount", "columns.debit", "columns.credit")
# By key, the columns by which it was guessed or proved: where one of these is changed, that is done anew.
_FOLLOWS = {
    **dict.fromkeys(("columns.direction", "columns.currency", "currency"), _AMOUNTS),
    **dict.fromkeys(("mark", "decimals", "unit"), (*_AMOUNTS, "columns.direction")),
    "columns.refund_user": (*_AMOUNTS, "columns.direction", "columns.user"),
    "users": ("columns.user", "columns.refund_user"),
    "ids": ("columns.transaction_id",),
    **dict.fromkeys(("columns.time", "columns.timezone", "dates", "timezone"), ("columns.created_at",)),
}
_STATUSES: Choices = (("SUCCESS", "Success"), ("FAILED", "Failed"), ("PENDING", "Pending"))
# Keys with where each stands, its values and what there is to say of it.
_PLAIN: tuple[tuple[str, str, Choices | None, str], ...] = (
    (MONEY, "decimals", None, "As many as there may be: 2 for cents."),
    (MONEY, "mark", ((".", "Point: 1,234.56"), (",", "Comma: 1.234,56")), ""),
    (
        MONEY,
        "unit",
        (("whole", "whole units"), ("smallest", "the smallest unit, as cents")),
        "",
    ),
    (
        MONEY,
        "negative",
        (
            ("refund", "a refund: a transaction of its own"),
            ("failed", "a transaction that failed"),
            ("refuse", "refused"),
        ),
        "",
    ),
    (MONEY, "currency", None, "Its code: rows in any other are refused."),
    (
        WHO,
        "ids",
        (("column", "as the column has them"), ("content", "made of what a row says but for its status")),
        "Made ones are the same at every run; equal rows of two files are one transaction.",
    ),
    (
        WHO,
        "id_parts",
        None,
        "With commas between them, where one does not suffice; of made ids, the columns they are made of.",
    ),
    (WHO, "users", tuple(USERS.items()), ""),
    (WHO, "user", None, "A number or a name, where no column tells."),
    (STATES, "status", _STATUSES, ""),
    (
        TIMES,
        "dates",
        None,
        "Choose one, or write a pattern: %d.%m.%Y %H:%M reads 31.01.2026 23:59.",
    ),
    (
        TIMES,
        "since",
        None,
        "Where they are hours or days since a moment: that moment, as 2026-01-31 00:00+00:00. Of days "
        "without a year: the first that they may be.",
    ),
    (TIMES, "timezone", None, "Its name, as Europe/Berlin."),
    (
        WHO,
        "guarded",
        (("true", "are guarded against spreadsheets: it is taken off"), ("false", "have it: it stays")),
        "As in exports of the admin.",
    ),
)


_OF_WORDS = {
    "refunds": f"With commas between them; {NONE_PASSED_OVER}: no row is one by its word.",
    "skip": f"With commas between them; {NONE_PASSED_OVER}: all of its rows are transactions.",
}


@dataclass(slots=True)
class FormField:
    """A key of the mapping as the form has it."""

    section: str
    key: str
    label: str
    value: str = ""
    choices: Choices | None = None
    help: str = ""
    # Values that are offered, each with what it means.
    suggestions: Choices = ()
    error: str = ""
    # Why it has to be answered, where the file cannot tell.
    asked: str = ""

    @property
    def id(self) -> str:
        return "map-" + "".join(
            sign if sign.isalnum() and sign.isascii() else f"-{ord(sign):x}-" for sign in self.key
        )


@dataclass(slots=True)
class MappingForm:
    """The form, what it means, and the first rows as they would be posted."""

    fields: list[FormField]
    meant: mappings.Mapping
    create_users: bool
    # What is wrong with the file as it is meant, and is no field's.
    error: str = ""
    preview: Summary | None = None
    reasons: tuple[str, ...] = ()
    # Labels of fields that hold what nobody has sent or seen: it was found by what somebody chose.
    anew: tuple[str, ...] = ()

    @property
    def is_agreed(self) -> bool:
        """Whether nothing is wrong, nothing open, and nothing new."""
        return not self.error and not self.anew and not any(each.error or each.asked for each in self.fields)

    @property
    def only_shown(self) -> dict[str, tuple[str, ...]]:
        """By column, words with which rows are passed over and that no field has."""
        known = {each.key for each in self.fields}
        return {column: words for column, words in self.meant.skip.items() if f"skip.{column}" not in known}

    @property
    def sections(self) -> list[tuple[str, list[FormField]]]:
        """The fields under their headings; what must be answered comes first."""
        asked = [each for each in self.fields if each.asked or each.error]
        rest = [each for each in self.fields if not (each.asked or each.error)]
        found = [("To be answered", asked)] if asked else []
        return found + [
            (name, some)
            for name in (MONEY, WHO, STATES, TIMES)
            if (some := [each for each in rest if each.section == name])
        ]


@named_by(as_field)
def shown(upload: Upload) -> MappingForm:
    """The form of what was guessed, or agreed before."""
    return _judged(upload, mappings.parse(upload.mapping), {}, upload.create_users)


@named_by(as_field)
def typed(upload: Upload, posted: Mapping[str, str], *, create_users: bool) -> MappingForm:
    """The form of what somebody has sent. What no field is for stays as it was.

    What was guessed by columns that have been changed is guessed anew.
    """
    kept = mappings.parse(upload.mapping)
    meant = replace(mappings.Mapping(), skip=kept.skip, refunds=kept.refunds, optional=kept.optional).read_as(
        kept
    )
    errors = dict[str, tuple[str, str]]()
    before = {each.key: each.value for each in shown(upload).fields}
    sent = {key.removeprefix("map."): value.strip() for key, value in posted.items()}
    changed = {key for key, value in sent.items() if value != before.get(key, "").strip()}
    stale = {key for key, by in _FOLLOWS.items() if key not in changed and changed.intersection(by)}
    for key, value in posted.items():
        text = value.strip()[:TYPED_CHARACTERS_MAX]
        name = key.removeprefix("map.")
        # A word may have a comma, and words of a mapping may be many: as they are shown they stay.
        as_shown = name.partition(".")[0] in OF_WORDS and value.strip() == before.get(name)
        if name == key or value == UNANSWERED or as_shown or name in stale:
            continue
        if not text:
            meant = _without(meant, name)
            continue
        try:
            meant = meant.stating(name, text)
        except MappingError as error:
            errors[name] = (text, str(error))
    form = _judged(upload, meant, errors, create_users)
    if not errors:
        form.anew = tuple(
            each.label
            for each in form.fields
            if each.value.strip() and each.value != sent.get(each.key, "") and _is_new(each.key, stale)
        )
    return form


def _is_new(key: str, stale: set[str]) -> bool:
    """Whether a field that holds something else than what was sent is to be looked at before a check."""
    return (key in stale and key not in PROVED) or key.startswith("columns.")


def _without(meant: mappings.Mapping, key: str) -> mappings.Mapping:
    """The same where a field was left empty: no column is looked for in its place."""
    table, _, name = key.partition(".")
    if table != "columns" or name not in _COLUMNS:
        return meant
    return replace(meant, columns={**meant.columns, name: ""})


def _judged(
    upload: Upload, meant: mappings.Mapping, errors: dict[str, tuple[str, str]], create_users: bool
) -> MappingForm:
    """By the first rows alone: all of the file is looked at by a worker."""
    table = told.head_table(upload)
    form = MappingForm([], meant, create_users)
    questions: tuple[OpenQuestion, ...] = ()
    known = meant
    try:
        found = guess(table, meant)
        known, questions, form.reasons = found.mapping, found.open, found.reasons
        if not errors and not questions:
            form.preview = plan(table, known, users=FileUsers(create=create_users, look_only=True)).summary
    except (MappingError, ColumnError, FileError) as error:
        key = getattr(error, "key", "")
        if key:
            errors.setdefault(key, (_stated(meant).get(key, ""), str(error)))
        else:
            form.error = str(error)
    form.fields = _fields(upload, table, known, questions, errors)
    return form


def _fields(
    upload: Upload,
    table: Table,
    meant: mappings.Mapping,
    questions: Iterable[OpenQuestion],
    errors: Mapping[str, tuple[str, str]],
) -> list[FormField]:
    columns = (("", "none"), *((name, name) for name in table.columns))
    fields = [
        FormField(section, f"columns.{name}", label_of(f"columns.{name}"), choices=columns)
        for name, section in _COLUMNS.items()
    ]
    fields += [
        FormField(
            section,
            key,
            label_of(key),
            choices=None if choices is None else (("", "–"), *choices),
            help=help,
        )
        for section, key, choices, help in _PLAIN
    ]
    fields += [
        FormField(
            STATES, f"statuses.{word}", label_of(f"statuses.{word}"), choices=(("", _usual(word)), *_STATUSES)
        )
        for word in _words(upload, table, meant)
    ]
    named = {*meant.named.values()}
    passed_over = [each for each in table.columns if is_of_kinds(each) and each not in named][:KINDS_MAX]
    fields += [
        FormField(MONEY, f"{table}.{column}", label_of(f"{table}.{column}"), help=help)
        for column in passed_over
        for table, help in _OF_WORDS.items()
    ]
    by_key = {each.key: each for each in fields}
    by_key["dates"].suggestions = tuple(
        (each, EXAMPLES.get(each, f"{each} since a moment")) for each in DATES
    )
    if code := money.code():
        by_key["currency"].help = f"{code}, and no other: rows in any other are refused."
    for key, value in _stated(meant).items():
        if key in by_key:
            by_key[key].value = value
    for name in _COLUMNS:
        if name not in meant.columns:
            unfound = by_key[f"columns.{name}"]
            unfound.value, unfound.choices = UNANSWERED, ((UNANSWERED, "none found"), *columns)
    # What is not asked yet is asked once these are answered.
    for question in [*questions][:ASKED_MAX]:
        each = by_key.get(question.key)
        if each is None:
            each = by_key[question.key] = FormField(STATES, question.key, label_of(question.key))
            fields.append(each)
        each.asked = question.why
        # Of columns all are there already: the one that is meant may look like something else.
        if each.key.startswith("columns."):
            each.value, each.choices = each.value or UNANSWERED, ((UNANSWERED, "–"), *columns)
        elif question.choices:
            each.choices = (("", "–"), *question.choices)
    for key, (value, error) in errors.items():
        each = by_key.get(key)
        if each is None:
            each = by_key[key] = FormField(MONEY, key, label_of(key))
            fields.append(each)
        each.value, each.error = value, error
    return fields


def _usual(word: str) -> str:
    """What a word is taken for where nobody says otherwise."""
    status = KNOWN.get(plain(word))
    return f"{dict(_STATUSES)[status]}, as usual" if status else "not known"


def _words(upload: Upload, table: Table, meant: mappings.Mapping) -> list[str]:
    """Words of the status's column among the first rows, and those that a check has met and nobody knows."""
    column = meant.columns.get("status", "")
    found: dict[str, None] = dict.fromkeys(meant.statuses)
    found.update(dict.fromkeys(word for word, _ in (upload.summary or {}).get("unknown_statuses", [])))
    lower = {word.casefold() for word in found}
    for row in table.rows():
        word = str(row.cells.get(column, "")).strip()
        if word and word.casefold() not in lower:
            lower.add(word.casefold())
            found[word] = None
    return list(found)[:WORDS_MAX]


def _stated(meant: mappings.Mapping) -> dict[str, str]:
    """What a mapping states, by key, as `stating` takes it."""
    stated: dict[str, Any] = {f"columns.{name}": meant.columns.get(name, "") for name in (*FIELDS, *BESIDE)}
    stated.update({f"statuses.{word}": status for word, status in meant.statuses.items()})
    for table in OF_WORDS:
        for column, words in getattr(meant, table).items():
            stated[f"{table}.{column}"] = ",".join(words) or NONE_PASSED_OVER
    for _, key, *_ in _PLAIN:
        stated[key] = _as_typed(getattr(meant, key))
    return stated


def _as_typed(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
