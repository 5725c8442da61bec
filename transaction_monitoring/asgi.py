"""The ASGI application: `daphne -p 8000 transaction_monitoring.asgi:application`."""

import gc
import os
from typing import cast

import django
from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

# Next to nothing of what is loaded is garbage: to walk through it again and again is a tenth of a start.
gc.disable()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "transaction_monitoring.settings")
django.setup(set_prefix=False)

# Imported once Django is set up.
from channels.routing import ProtocolTypeRouter  # noqa: E402

from transactions.access import rate_limits, token_copies  # noqa: E402
from transactions.audit import known_settings  # noqa: E402
from transactions.intake import ingest  # noqa: E402
from transactions.intake.fast_lane import fast_lane  # noqa: E402
from transactions.metrics import loop_delay  # noqa: E402
from transactions.reading import found_together  # noqa: E402
from transactions.reading.read_lane import read_lane  # noqa: E402
from transactions.stores.per_loop import PerLoop  # noqa: E402

from .observability import logs  # noqa: E402
from .observability.request_counts import observed_posts, observed_websockets  # noqa: E402
from .routing import websocket_application  # noqa: E402
from .serving import (  # noqa: E402
    body_limits,
    connections,
    finished_requests,
    request_heads,
    unread_answers,
    websocket_frames,
)
from .serving.django_pool import DjangoPool  # noqa: E402
from .serving.hosts import known_hosts  # noqa: E402
from .serving.kept_files import kept_files  # noqa: E402
from .serving.probes import probes  # noqa: E402
from .serving.request_ids import with_request_id  # noqa: E402
from .serving.whole_bodies import with_whole_bodies  # noqa: E402

for bounds in (connections, request_heads, body_limits, websocket_frames, unread_answers, finished_requests):
    bounds.install()
_django = read_lane(cast("ASGI3Application", DjangoPool()))
_http = observed_posts(known_hosts(kept_files(_django)))
_websocket = observed_websockets(known_hosts(websocket_application))
_router = with_request_id(probes(ProtocolTypeRouter({"http": _http, "websocket": _websocket})))
_application = with_whole_bodies(fast_lane(_router, logs.request_id))
known_settings.start_noting("web")


def _share() -> ingest.Intake:
    """Lets the requests of the running loop, which lasts, share their calls to the stores."""
    rate_limits.serve_here()
    token_copies.serve_here()
    loop_delay.serve_here()
    found_together.serve_here()
    return ingest.serve_here()


_shared = PerLoop(_share)

# What is loaded now stays, so the garbage collector need not walk through it, and need not run after
# every 700 new objects. With a thousand dashboards that would take a quarter of the processor's time,
# in pauses that requests feel.
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 10, 10)
gc.enable()


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Serves a request or a websocket."""
    _shared.here()
    if scope["type"] != "lifespan":
        # The server's own, which knows how much waits for a client: what is in between wraps it.
        scope.setdefault("state", {})["server_send"] = send
    await _application(scope, receive, send)
