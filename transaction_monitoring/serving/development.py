"""`manage.py runserver`, which is Daphne's."""

from django.apps import AppConfig


class Development(AppConfig):
    """Daphne's application without its server, for any process but the development server.

    Its own configuration loads the server, Twisted and TLS at the start of every command and worker, for a
    quarter of a second. The command loads what it needs.
    """

    name = "daphne"
