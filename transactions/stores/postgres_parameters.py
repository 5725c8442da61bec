"""What every connection to PostgreSQL runs with, and how one that is made by hand, past Django's own, begins.

Settings of the server's are made by a statement, not by the parameter named options at the connection's
start: PgBouncer refuses that, or ignores it and the settings with it.
"""

from typing import Any

from django.db import connections

FOR_ALL = {
    # Compiling a query of ours takes longer than running it.
    "jit": "off",
    # A role may have been told to hear nothing, and `postgres_commits` has to be told.
    "client_min_messages": "warning",
}


def connection_parameters() -> dict[str, Any]:
    """What `psycopg2.connect` takes: all that the settings say."""
    return dict(connections["default"].get_connection_params())


def beginning(**server_settings: object) -> str:
    """The statement that a connection made by hand begins with, outside of any transaction: one for all.

    The server's settings are for this connection alone, beside those of all; time-outs are milliseconds.
    """
    settings = {**FOR_ALL, **server_settings}
    return "SELECT " + ", ".join(
        f"set_config('{name}', '{value}', false)" for name, value in settings.items()
    )


def begin(connection: Any, **_: Any) -> None:
    """Begins one of Django's; for its signal of a connection that was made."""
    with connection.cursor() as cursor:
        cursor.execute(beginning())
