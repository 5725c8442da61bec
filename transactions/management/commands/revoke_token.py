"""`manage.py revoke_token NAME`: ends a token."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from transactions.access import tokens

from ._own import OwnCommand


class Command(OwnCommand):
    help = "Ends the token of that name; every process refuses it within a minute."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the name that it was made with")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            tokens.revoke(name)
        except tokens.TokenError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Revoked {name!r}. It is refused everywhere within a minute.")
