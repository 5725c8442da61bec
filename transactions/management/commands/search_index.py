"""`manage.py search_index`: after SEARCH_PARTS was changed, or the extension that it needs was made."""

from typing import Any

from django.core.management.base import CommandError
from django.db import Error as DatabaseError

from transactions.reading import part_indexes

from ._own import OwnCommand


class Command(OwnCommand):
    help = "Makes the indexes of the parts of ids and names where SEARCH_PARTS is on, else takes them away."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(part_indexes.follow_setting())
        except DatabaseError as error:
            raise CommandError(f"PostgreSQL refused: {str(error).strip()}") from None
