"""Users as files name them: by the keys that they have here, or by names."""

from dataclasses import replace

from ...encodings import is_text, shows_something
from ...fields import USER_MAX, user_key
from ..mapping import Mapping
from ..wording import said
from .proofs import CellError, ColumnError, OpenQuestion, Settled, told

NAME_CHARACTERS_MAX = 300
KEY_CHOICE = ("key", "keys: a row with another user is refused")
NAME_CHOICE = ("name", "usernames, also where they are digits")


def user_text(cell: str, mapping: Mapping) -> str:
    """The user of a cell as it is looked up: a key's digits, or a name. Raises CellError."""
    text = cell.strip() or mapping.user
    if not text:
        raise CellError(f"the user is empty: write one, or state whose such rows are ({said('user')})")
    if mapping.users == "key":
        key = user_key(text)
        if key is None:
            raise CellError(f"“…” is no key of a user: write a number from 1 to {USER_MAX}", text)
        return str(key)
    if len(text) > NAME_CHARACTERS_MAX or not is_text(text) or not shows_something(text):
        raise CellError("“…” is no name of a user", text)
    return text


class UsersProof:
    """Whether a column of users has keys or names: see every cell, then ask for `settled`."""

    def __init__(self, column: str) -> None:
        self.column = column
        self._key: tuple[int, str] | None = None
        self._name: tuple[int, str] | None = None

    def see(self, line: int, cell: str) -> None:
        text = cell.strip()
        if user_key(text):
            self._key = self._key or (line, text)
        elif text:
            self._name = self._name or (line, text)

    @property
    def has_seen(self) -> bool:
        """Whether there was any, a key or a name."""
        return bool(self._key or self._name)

    def settled(self, mapping: Mapping) -> Settled:
        """As stated, as proved, or open: a column may have both.

        Raises ColumnError where whose the rows are that name nobody is stated by a name, among keys.
        """
        result = self._settled(mapping)
        if result.mapping.users == "key" and mapping.user and user_key(mapping.user) is None:
            others = f"and column “{self.column}” has keys" if self.column else f"and {said('users', 'key')}"
            raise ColumnError(
                f"{said('user')}: {told(mapping.user)} is no key of a user, {others}: state the key of that "
                f"user, or {said('users', 'name')} where the file has names.",
                "user",
            )
        return result

    def _settled(self, mapping: Mapping) -> Settled:
        result = Settled(mapping)
        # Where nothing was seen nothing is proved: a column that somebody names later may have either.
        if mapping.users or not (self.has_seen or mapping.user or self.column):
            return result
        if self._key and self._name:
            why = (
                f"Column “{self.column}” has what looks like a key on line {self._key[0]} "
                f"({told(self._key[1])}) and a name on line {self._name[0]} ({told(self._name[1])})."
            )
            result.open.append(OpenQuestion("users", why, (KEY_CHOICE, NAME_CHOICE)))
            return result
        by = (
            "name" if self._name or (mapping.user and not self._key and not user_key(mapping.user)) else "key"
        )
        result.mapping = replace(mapping, users=by)
        if self.column:
            has = "names of users" if by == "name" else "keys of users"
            result.reasons.append(f"“{self.column}” has {has}.")
        return result
