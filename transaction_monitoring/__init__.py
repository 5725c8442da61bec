"""Wiring: settings, URLs, the ASGI and WSGI applications, Celery, the websocket."""
