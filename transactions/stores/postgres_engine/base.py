"""What Django imports by the name of ENGINE; all that connects begins here."""

from typing import Any

from django.db.backends.postgresql import base

from ..postgres_commits import ConfirmedConnection, ConfirmedCursor
from ..postgres_hosts import in_order


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that begins with the host that is known to be there, and whose commits are confirmed."""

    def get_connection_params(self) -> dict[str, Any]:
        """What `psycopg2.connect` takes."""
        # Those of threads that are watched are in the options, and are of these kinds.
        factories = {"connection_factory": ConfirmedConnection, "cursor_factory": ConfirmedCursor}
        chosen = {name: self.settings_dict["OPTIONS"].get(name, ours) for name, ours in factories.items()}
        return in_order({**super().get_connection_params(), **chosen})
