"""The part of `manage.py rules` that is about lists of users."""

from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Q
from django.db.models.functions import Now

from transactions import names
from transactions.encodings import composed, printable
from transactions.fields import MOMENT, USER_MAX
from transactions.rules import changes, list_entries
from transactions.rules.activity import counted_in_words
from transactions.rules.models import UserList
from transactions.rules.texts import checked_comment, checked_description, checked_name
from transactions.rules.user_lists import with_standing

# Users put on a list at once, while no chunk is judged; and keys of a file, which is read whole.
USERS_AT_ONCE, USERS_MAX = 10_000, 1_000_000
# Entries that are read at once.
ENTRIES_AT_ONCE = 2_000
BYTES_MAX = USERS_MAX * len(f"{USER_MAX}\r\n")


def add_list_arguments(what: Any) -> None:
    """The sub-commands about lists."""
    what.add_parser("lists", help="every list of users, and how many stand there now")
    show = what.add_parser("list-show", help="who stands on a list, or is about to, and until when")
    make = what.add_parser("list-make", help="make a list of users, empty at first")
    add = what.add_parser("list-add", help="put users on a list, from the next full minute on")
    end = what.add_parser("list-end", help="take users off a list at the next full minute")
    for each in (show, make, add, end):
        each.add_argument("name", metavar="LIST", help="its name")
    make.add_argument("--description", default="", metavar="TEXT")
    for each in (add, end):
        each.add_argument("users", nargs="*", type=key, metavar="USER", help="keys of users")
        each.add_argument("--file", metavar="FILE", help=f"a key a line, up to {USERS_MAX:,}")
        each.add_argument("--by", metavar="USERNAME", help="who does so; with the right rules.change")
    add.add_argument("--comment", default="", metavar="TEXT", help="why")
    add.add_argument("--expires", type=moment, metavar="MOMENT", help="until then: a full minute to come")


def list_lines() -> list[str]:
    """A line for each list."""
    return [
        f"{printable(users.name)}: {counted_in_words(users.standing)} "
        f"user{'' if users.standing == 1 else 's'} now. "
        f"{printable(users.description)}".rstrip()
        for users in with_standing(UserList.objects.order_by("name"))
    ]


def entry_lines(name: str) -> Iterator[str]:
    """A line for each entry of a list that has not ended, by user. Raises CommandError."""
    entries = _list(name).entries.filter(Q(ends_at=None) | Q(ends_at__gt=Now()))
    entries = entries.order_by("user_id", "starts_at", "pk").select_related("user", "made_by")
    is_empty = True
    for entry in entries.iterator(ENTRIES_AT_ONCE):
        is_empty = False
        line = f"{entry.user_id} {entry.user}: from {entry.starts_at:%Y-%m-%d %H:%M} UTC"
        line += f" until {entry.ends_at:%Y-%m-%d %H:%M} UTC" if entry.ends_at else ""
        line += f", by {entry.made_by}" if entry.made_by else ""
        yield printable(line + (f": {entry.comment}" if entry.comment else ""))
    if is_empty:
        yield "Nobody stands on it."


def make_list(name: str, description: str) -> None:
    """Raises CommandError."""
    try:
        changes.make_list(checked_name(name), checked_description(description))
    except ValueError as error:
        raise CommandError(str(error)) from None
    except changes.NameTaken as error:
        raise CommandError(printable(f"{str(error)[:1].upper()}{str(error)[1:]}.")) from None


def add_users(
    name: str, users: list[int], file: str | None, *, by: Any, comment: str, expires: datetime | None
) -> str:
    """Puts users on a list, thousands at a time. Raises CommandError, and lifecycle.StepRefused."""
    found, keys = _list(name), _keys(users, file)
    try:
        checked_comment(comment)
    except ValueError as error:
        raise CommandError(str(error)) from None
    for part in _parts(keys):
        list_entries.check_users(part)
    added = sum(
        list_entries.add_entries(found, part, by=by, expires=expires, comment=comment)
        for part in _parts(keys)
    )
    return f"added: {added}, there already: {len(keys) - added}"


def end_users(name: str, users: list[int], file: str | None, *, by: Any) -> str:
    """Ends what entries users have on a list. Raises CommandError."""
    found, keys = _list(name), _keys(users, file)
    return f"ended: {sum(list_entries.end_entries(found, part, by) for part in _parts(keys))}"


def key(text: str) -> int:
    """The key of a user. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= USER_MAX):
        raise ArgumentTypeError(f"{text[:60]!r} is no key of a user")
    return int(text)


def moment(text: str) -> datetime:
    """A moment with a timezone. Raises ArgumentTypeError."""
    try:
        found = datetime.fromisoformat(text) if MOMENT.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} is no moment with a timezone, like 2026-01-31T12:00Z")
    return found


def _list(name: str) -> UserList:
    found = UserList.objects.filter(name=composed(name)).first()
    if found is None:
        meant = names.meant(name, UserList.objects.values_list("name", flat=True))
        told = f"; did you mean “{meant}”?" if meant else "."
        raise CommandError(f"There is no list “{printable(name)}”{told}")
    return found


def _keys(users: list[int], file: str | None) -> list[int]:
    keys = list(dict.fromkeys([*users, *(_of_file(Path(file)) if file is not None else [])]))
    if not keys:
        raise CommandError("name the users, or a file of them")
    return keys


def _of_file(path: Path) -> list[int]:
    try:
        with path.open("rb") as opened:
            text = opened.read(BYTES_MAX + 1).decode("ascii", "backslashreplace")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    lines = text.splitlines()
    if len(text) > BYTES_MAX or len(lines) > USERS_MAX:
        raise CommandError(f"{path}: at most {USERS_MAX:,} users at once")
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found += [key(line.strip())] if line.strip() else []
        except ArgumentTypeError as error:
            raise CommandError(f"{path}: line {number}: {error}") from None
    return found


def _parts(keys: list[int]) -> Sequence[list[int]]:
    return [keys[at : at + USERS_AT_ONCE] for at in range(0, len(keys), USERS_AT_ONCE)]
