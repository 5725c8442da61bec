"""Agreeing on what a file means: a guess is shown and asked for, and never taken silently."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields

from ..encodings import printable
from ..models import Status
from .columns.proofs import OpenQuestion, told
from .guess import Guess, guess
from .keys import BESIDE, FIELDS
from .mapping import Mapping, MappingError
from .options import option
from .systems import system_of
from .table import Table

# Keys that only forms have: the whole column proves them, and no run takes them for anything else.
PROVED = ("mark", "decimals", "unit", "dates")
# So often an answer that makes no sense is asked for again.
TRIES_MAX = 5
# The answer that no column tells.
NONE = "none"
# Ways to answer a question that are told.
WAYS_MAX = 5

# Shows a line; asks for one.
Say = Callable[[str], object]
Ask = Callable[[str], str]


class NotAgreed(Exception):
    """Nobody has agreed to what the file is taken to mean; the message says what is to be given."""


def understood(table: Table, given: Mapping, say: Say, ask: Ask | None) -> Guess:
    """What the file means, with nothing left open; shown where it is more than was given.

    Whatever the file cannot tell is asked, or where nobody can be (`ask` is None) raised as NotAgreed. Raises
    FileError, ColumnError and MappingError too.
    """
    found = guess(table, given)
    system = None if given.named else system_of(table)
    if system is not None:
        say(
            f"the columns are those of “{system.words}”: --mapping {system.name} knows its words, and which "
            "of its rows are no payments"
        )
    if found.mapping != given or found.open or given.lacking(table.columns):
        for line in shown(table, found):
            say(line)
    else:
        # A mapping that says all else says nothing of words that are known without it.
        for line in _known_words(found):
            say(line)
    asked = 0
    while found.open:
        if ask is None or asked == TRIES_MAX * len(FIELDS):
            raise NotAgreed(_left_open(found.open))
        given = _answered(found.open[0], given, say, ask)
        found = guess(table, given)
        asked += 1
    return _with_words(table, found, given, say, ask) if ask and found.unknown else found


def _with_words(table: Table, found: Guess, given: Mapping, say: Say, ask: Ask) -> Guess:
    """The same once it was asked what each unknown word of a status means."""
    stated = given
    for word, line in found.unknown:
        say(f"Nobody knows what {told(word)} in the status's column means (line {line}).")
        say("Say SUCCESS, PENDING or FAILED; nothing to have its rows refused.")
        answer = ""
        for _ in range(TRIES_MAX):
            answer = ask(f"SUCCESS, PENDING or FAILED? {printable(word)}: ").strip()
            if not answer or answer.upper() in Status.values:
                break
            say("Say SUCCESS, PENDING or FAILED, or nothing.")
        if answer.upper() in Status.values:
            stated = stated.holding(f"statuses.{word}", answer.upper())
    return found if stated == given else guess(table, stated)


def is_guessed(meant: Mapping, given: Mapping) -> bool:
    """Whether more is taken for granted than was given and columns prove. To have no column is no guess."""
    return meant.named != given.named or any(
        getattr(meant, each.name) != getattr(given, each.name)
        for each in fields(Mapping)
        if each.name not in (*PROVED, "columns")
    )


def shown(table: Table, found: Guess) -> Iterator[str]:
    """A guess as people read it."""
    yield f"{table.form}; taken to mean:"
    named = found.mapping.named
    for name in (*FIELDS, *BESIDE):
        if name in named:
            yield f"  {name:<15} {named[name]}"
    for reason in (*found.reasons, *_known_words(found)):
        yield f"  - {reason}"


def _known_words(found: Guess) -> Iterator[str]:
    """What common words for a status are taken for, but for those that are the status itself."""
    words = dict[str, tuple[str, str]]()
    for word, status in found.known:
        if word.upper() != status:
            words.setdefault(word.casefold(), (word, status))
    if words:
        taken = ", ".join(f"{told(word)} is {status}" for word, status in words.values())
        otherwise = option("statuses.WORD", "STATUS")
        yield f"Words for a status, as usual: {taken}. What differs is stated: {otherwise}."


def _answered(question: OpenQuestion, given: Mapping, say: Say, ask: Ask) -> Mapping:
    """The mapping with an answer to the question. Raises NotAgreed where there is none."""
    say(question.why)
    for value, meaning in question.choices:
        say(f"  {value or NONE:<10} {meaning}")
    for _ in range(TRIES_MAX):
        answer = ask(f"{printable(option(question.key))}: ").strip()
        if not answer:
            break
        known = dict(question.choices)
        if answer == NONE and "" in known and NONE not in known:
            answer = ""
        if known and answer not in known:
            say(f"Say one of {', '.join(each or NONE for each in known)}, or nothing to give up.")
            continue
        try:
            return given.stating(question.key, answer)
        except MappingError as error:
            say(str(error))
    raise NotAgreed(_left_open([question]))


def _way(question: OpenQuestion, value: str) -> str:
    """How a command states it; of a column also what becomes of rows by that."""
    meaning = dict(question.choices).get(value, "").partition(": ")[2]
    said = f" ({meaning})" if meaning and question.key.startswith("columns.") else ""
    return option(question.key, value) + said


def _left_open(questions: Sequence[OpenQuestion]) -> str:
    told = []
    for question in questions:
        ways = [_way(question, value) for value, _ in question.choices[:WAYS_MAX]]
        ways = ways or [option(question.key, "…")]
        if question.key == "columns.user":
            ways.append(option("user"))
        told.append(f"{question.why} Give {' or '.join(ways)}.")
    return " ".join(told)
