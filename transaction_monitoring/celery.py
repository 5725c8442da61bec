"""The Celery application: `celery -A transaction_monitoring worker|beat|inspect …`.

Celery's own processes load it, and whoever sends a tick: it takes a tenth of a second, and the tasks bring
most of the application.
"""

import logging
import os
import signal
from typing import Any

from celery import Celery
from celery.exceptions import OperationalError
from celery.signals import beat_init, import_modules

log = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "transaction_monitoring.settings")
# Django's checks of the code, which load every page: a worker serves none. `manage.py check` does that.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("transaction_monitoring")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@import_modules.connect(sender=app)
def hear_celery(**_: Any) -> None:
    """In a worker, and in Beat, once Django is set up."""
    from transactions import tasks

    tasks.connect_signals()


@beat_init.connect
def end_at_once(**_: Any) -> None:
    """Beat ends at a signal, whatever it is amid: it keeps nothing, and a tick may come twice or not at all.

    Celery's own way closes the connection under a send. That then fails, the failure takes the place of the
    end, and Beat goes on, or ends in a traceback.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))


def send_tick(task: str, expires_s: float) -> None:
    """Has a worker run that task, unless none takes it within `expires_s`; sends nothing without Redis."""
    try:
        app.send_task(task, expires=expires_s, retry=False, ignore_result=True)
    except OperationalError as error:
        log.error("%s was not sent, and will be in a minute: %s", task, error)
