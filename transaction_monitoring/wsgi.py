"""The WSGI application: the API and the admin without the websocket. Daphne serves `asgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "transaction_monitoring.settings")

application = get_wsgi_application()
