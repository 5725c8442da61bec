"""`manage.py list_tokens`: the tokens there are."""

from typing import Any

from transactions.access.rights import rights_of_all
from transactions.models import ApiToken

from ._own import OwnCommand


class Command(OwnCommand):
    help = "Prints name, account, rights, end and last use of every token that is not revoked."

    def handle(self, *args: Any, **options: Any) -> None:
        rows = list(ApiToken.objects.select_related("user").filter(revoked_at=None).order_by("name"))
        held = rights_of_all(row.user for row in rows)
        for row in rows:
            rights = ",".join(sorted(held[row.user.pk])) or "none"
            ends = f"{row.expires_at:%Y-%m-%dT%H:%MZ}" if row.expires_at else "never"
            used = f"{row.last_used_at:%Y-%m-%dT%H:%MZ}" if row.last_used_at else "never"
            self.stdout.write(f"{row.name}\taccount {row.user}\tmay {rights}\tends {ends}\tused {used}")
