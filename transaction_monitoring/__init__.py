"""Wiring: settings, URLs, the ASGI and WSGI applications, Celery, the websocket, health."""

from .celery import app as celery_app

__all__ = ["celery_app"]
