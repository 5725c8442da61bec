"""`manage.py create_token NAME`: a token for a client of the API."""

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from transactions.access import tokens
from transactions.access.rights import Right, Rights, rights_of

from ._own import OwnCommand

# A token that is to be valid for longer is one without an end.
DAYS_MAX = 36_500


class Command(OwnCommand):
    help = "Makes a token and prints it, this once, on stdout; what it may do goes to stderr."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what you will know the token by")
        parser.add_argument("--user", help="the account it acts for (default: a new one of its own)")
        parser.add_argument(
            "--rights",
            help=f"{', '.join(Right)}, with commas: given to an account of its own (post,read by default), "
            "and demanded of --user, who must have them",
        )
        parser.add_argument(
            "--expires", type=int, metavar="DAYS", help="days that it is valid (default: for ever)"
        )

    def handle(self, *args: Any, name: str, user: str | None, rights: str | None, **options: Any) -> None:
        days = options["expires"]
        if days is not None and not 1 <= days <= DAYS_MAX:
            raise CommandError(f"--expires is a number of days from 1 to {DAYS_MAX}.")
        lifetime = timedelta(days=days) if days is not None else None
        try:
            token, row = tokens.create(name, username=user, rights=_parsed(rights), lifetime=lifetime)
        except tokens.TokenError as error:
            raise CommandError(str(error)) from None
        may = ", ".join(sorted(rights_of(row.user))) or "nothing yet (its account has no right)"
        until = f"until {row.expires_at:%Y-%m-%d %H:%M} UTC" if row.expires_at else "until it is revoked"
        notes = (
            f"Token {name!r} for the account {row.user.get_username()!r}, valid {until}.",
            f"It may: {may}. It is shown only now:",
        )
        for note in notes:
            self.stderr.write(note, style_func=str)  # not in the red of errors
        self.stdout.write(token)


def _parsed(rights: str | None) -> Rights | None:
    if rights is None:
        return None
    try:
        return frozenset(Right(word.strip()) for word in rights.split(","))
    except ValueError:
        raise CommandError(f"--rights takes {', '.join(Right)}, separated by commas.") from None
