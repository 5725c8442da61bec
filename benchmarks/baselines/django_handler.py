"""Our application on Django's own ASGI handler: its chain runs on the loop, and visits threads in between."""

import django
from django.core.handlers.asgi import ASGIHandler

django.setup(set_prefix=False)

# Imported once Django is set up.
from transaction_monitoring.serving import django_pool  # noqa: E402

django_pool.DjangoPool = ASGIHandler  # type: ignore[assignment,misc]

from transaction_monitoring.asgi import application  # noqa: E402

__all__ = ["application"]
