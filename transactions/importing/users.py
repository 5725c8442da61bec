"""Users that a file names by key or by name: looked up, and made as customers where that is asked."""

import hashlib
import re
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import TypeVar

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import InterfaceError, OperationalError, connection, transaction

from ..access.log_in_form import NAME_CHARACTERS_MAX
from ..audit.actions import Action
from ..audit.entries import note
from ..client.api import PAUSE_S_MAX, PAUSE_S_MIN
from ..client.users import keys_in, make_missing
from ..encodings import is_text, one_line, shows_something
from ..fields import user_key
from ..tables import USER_KEY, USER_NAME, USERS

# Behind a username in which a name could not be written as it is: names that differ stay two customers.
_MARK_CHARACTERS = 8
Told = TypeVar("Told")
# Purpose: who is called so in any letter case, by the index account_by_name_in_any_case.
IN_ANY_CASE = f"""
    SELECT wanted.name, {USER_KEY} FROM unnest(%s::text[]) AS wanted (name)
      JOIN {USERS} ON upper({USER_NAME}) = upper(wanted.name)
"""
_NOT_IN_USERNAMES = re.compile(r"[^\w.@+-]+")


class FileUsers:
    """The users of one file. With `create` those who are missing are made, as customers who cannot log in.

    With `look_only` nobody is made at all; it is said as if they were. Where PostgreSQL does not answer it is
    asked again for `patience_s` seconds; `notice` hears of every wait, in one line.
    """

    def __init__(
        self,
        *,
        create: bool = False,
        look_only: bool = False,
        patience_s: float = 0.0,
        notice: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.made = 0
        self._create, self._look_only = create, look_only
        self._patience_s, self._notice = patience_s, notice

    def look_up(self, wanted: Collection[str], by: str) -> dict[str, int | str]:
        """Of each text who is there, or would be made: the key, or as yet the name. Nobody is made.

        `by` is "key" or "name"; `wanted` are at most 1,000. Raises django.db.Error.
        """
        return self._patiently(lambda: self._looked_up(wanted, by))

    def keys(self, wanted: Collection[str], by: str) -> dict[str, int | str]:
        """The key of each who is there or was made now. Raises django.db.Error."""
        return self._patiently(lambda: self._keys(wanted, by))

    def _patiently(self, ask: Callable[[], Told]) -> Told:
        """What is asked, also where the connection is lost meanwhile: whoever was made is found again."""
        deadline, pause_s = time.monotonic() + self._patience_s, PAUSE_S_MIN
        while True:
            try:
                return ask()
            except (OperationalError, InterfaceError) as error:
                if connection.in_atomic_block or time.monotonic() + pause_s > deadline:
                    raise
                why = one_line(error)
                self._notice(f"PostgreSQL does not answer ({why}): the same again in {pause_s:.1f} s")
            connection.close()
            time.sleep(pause_s)
            pause_s = min(PAUSE_S_MAX, pause_s * 2)

    def _looked_up(self, wanted: Collection[str], by: str) -> dict[str, int | str]:
        found: dict[str, int | str] = {**self._find(wanted, by)}
        if self._create:
            missing = [text for text in wanted if text not in found]
            if by == "name":
                found.update((text, text) for text in missing if username_of(text))
            else:
                found.update((text, key) for text in missing for key in keys_in([text]))
        return found

    def _keys(self, wanted: Collection[str], by: str) -> dict[str, int | str]:
        if self._look_only:
            return self._looked_up(wanted, by)
        found = self._find(wanted, by)
        missing = [text for text in wanted if text not in found] if self._create else []
        if missing:
            named = {username for text in missing if (username := username_of(text))}
            keys = keys_in(missing)
            self.made += _make_named(named) if by == "name" else make_missing(keys)
            found = self._find(wanted, by)
        return {**found}

    def _find(self, texts: Collection[str], by: str) -> dict[str, int]:
        """The key of each who is there.

        A name in another letter case leads to who is there, as in filters. Where customers are made it does
        not: keys of other systems may differ by that alone, and each is a customer then.
        """
        if by == "key":
            return _by_key(texts)
        found = _by_name(texts)
        return found if self._create else {**_by_name_in_any_case(set(texts) - found.keys()), **found}


def username_of(name: str) -> str:
    """The username of the customer whom a file calls `name`, always the same; "" where there is no name.

    White space at its ends, or more of it than one, makes no other name, nor does another form of Unicode.
    """
    plain = _plain(name)
    if not plain:
        return ""
    kept = _NOT_IN_USERNAMES.sub("-", plain).strip("-")
    if kept == plain and len(kept) <= NAME_CHARACTERS_MAX:
        return plain
    mark = hashlib.sha256(plain.encode()).hexdigest()[:_MARK_CHARACTERS]
    return f"{kept[: NAME_CHARACTERS_MAX - 1 - _MARK_CHARACTERS]}-{mark}".strip("-")


def _plain(name: str) -> str:
    """A name as it is compared; "" for one that PostgreSQL cannot be asked for, or that nobody would see."""
    plain = " ".join(unicodedata.normalize("NFKC", name).split())
    return plain if is_text(plain) and shows_something(plain) else ""


def _by_key(texts: Collection[str]) -> dict[str, int]:
    wanted = {text: key for text in texts if (key := user_key(text))}
    asked = set(wanted.values())
    there = set(get_user_model()._default_manager.filter(pk__in=asked).values_list("pk", flat=True))
    return {text: key for text, key in wanted.items() if key in there}


def _by_name(texts: Collection[str]) -> dict[str, int]:
    """Of this very name, else of the one that is made of it."""
    wanted = {text: (plain, username_of(text)) for text in texts if (plain := _plain(text))}
    asked = {name for names in wanted.values() for name in names}
    there = dict(get_user_model()._default_manager.filter(username__in=asked).values_list("username", "pk"))
    found = {text: there.get(plain, there.get(made)) for text, (plain, made) in wanted.items()}
    return {text: key for text, key in found.items() if key is not None}


def _by_name_in_any_case(texts: Collection[str]) -> dict[str, int]:
    """Who is called so but for the letter case, where that is one alone."""
    wanted = {text: plain for text in texts if (plain := _plain(text))}
    there: dict[str, list[int]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(IN_ANY_CASE, [[*set(wanted.values())]])
        for name, key in cursor.fetchall():
            there[name].append(key)
    return {text: there[plain][0] for text, plain in wanted.items() if len(there[plain]) == 1}


def _make_named(usernames: Collection[str]) -> int:
    """Makes a customer of each name that nobody has, and returns how many."""
    users = get_user_model()._default_manager
    with transaction.atomic():
        there = set(users.filter(username__in=usernames).values_list("username", flat=True))
        missing = sorted({*usernames} - there)
        if not missing:
            return 0
        made = [users.model(username=username, password=make_password(None)) for username in missing]
        users.bulk_create(made, batch_size=1000, ignore_conflicts=True)
        keys = sorted(users.filter(username__in=missing).values_list("pk", flat=True))
        told = f"{len(keys):,} customer{'' if len(keys) == 1 else 's'}"
        note(Action.USER_MADE, told, first=keys[0], last=keys[-1])
    return len(keys)
