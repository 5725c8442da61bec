"""Wiring: settings, URLs, the ASGI and WSGI applications, Celery, the websocket."""

# Elsewhere an `__init__` imports nothing. This one does, since `celery -A transaction_monitoring` looks here
# for the application, and since the tasks of every process, a web server's too, are to belong to it.
from .celery import app as celery_app

__all__ = ["celery_app"]
