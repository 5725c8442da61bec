"""What a connection to PostgreSQL that is made by hand, past Django's own, is given."""

from typing import Any

from django.db import connections


def connection_parameters(**server_settings: object) -> dict[str, Any]:
    """What `psycopg2.connect` takes: all that the settings say, and `server_settings` beside their options.

    The server's settings are for this connection alone; time-outs are milliseconds.
    """
    parameters: dict[str, Any] = connections["default"].get_connection_params()
    added = [f"-c {name}={value}" for name, value in server_settings.items()]
    parameters["options"] = " ".join([parameters.get("options", ""), *added]).strip()
    return parameters
