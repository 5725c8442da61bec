"""Settings that differ from those with which a program was started last.

What is kept of a secret is a hash that is keyed with SECRET_KEY: it tells that the secret changed, and
nothing else to whoever reads the database. With another SECRET_KEY all these hashes are others, so then
that one alone is told to have changed.
"""

import json
import logging
import re
import threading
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import ProgrammingError, connection, transaction
from django.utils.crypto import salted_hmac

from .actions import Action
from .changes import CHANGED
from .entries import note
from .models import KnownSettings

log = logging.getLogger(__name__)

# How soon PostgreSQL is asked again where it does not answer at a program's start, in seconds.
AGAIN_S = 5.0
# Names of what holds a secret, be it as a part: the password in a server's URL.
_SECRET = re.compile(r"SECRET|PASSWORD|KEY|TOKEN|DSN|URL|CREDENTIAL|DATABASES|LAYERS")
# And what looks as if it did, whatever its name.
_WITH_PASSWORD = re.compile(r"://[^/\s]*@")
_SALT = "transactions.audit.settings"


def start_noting(program: str) -> threading.Thread:
    """Compares the settings of this process in the background, as soon as PostgreSQL answers.

    `program` is what was started: "web" or "worker".
    """
    thread = threading.Thread(target=_note_once, args=[program], name="known settings", daemon=True)
    thread.start()
    return thread


def _note_once(program: str) -> None:
    while True:
        try:
            note_differences(program)
            return
        except ProgrammingError:  # no table yet: whoever migrates has not come to it
            log.debug("The settings cannot be compared yet: there is no table of them")
        except DatabaseError as error:
            log.info("The settings cannot be compared yet: %s", type(error).__name__)
        finally:
            connection.close()
        time.sleep(AGAIN_S)


def note_differences(program: str) -> None:
    """Notes what differs from the program's last start, and keeps what there is now. Raises django.db.Error.

    Nothing is noted of the very first start.
    """
    with transaction.atomic():
        now = told()
        row, _ = KnownSettings.objects.select_for_update().get_or_create(
            program=program, defaults={"known": now}
        )
        if row.known != now:
            note(Action.SETTING_CHANGED, program, settings=_differences(row.known, now))
            row.known = now
            row.save()


def told() -> dict[str, dict[str, Any]]:
    """The settings as they are kept: `values`, and the hashes of `secrets`, each by its name."""
    kept: dict[str, dict[str, Any]] = {"values": {}, "secrets": {}}
    for name in filter(str.isupper, dir(settings)):
        if not settings.is_overridden(name):  # type: ignore[misc]  # left out of the stubs
            continue
        value = getattr(settings, name)
        if _SECRET.search(name) or _WITH_PASSWORD.search(str(value)):
            kept["secrets"][name] = salted_hmac(_SALT, repr(value), algorithm="sha256").hexdigest()
        elif isinstance(value, date | timedelta | Path):
            kept["values"][name] = str(value)
        elif isinstance(value, bool | int | float | str | list | tuple | None):
            kept["values"][name] = json.loads(json.dumps(value, default=str))
    return kept


def _differences(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    values, new = before["values"], now["values"]
    for name in sorted(values.keys() | new.keys()):
        if name not in values or name not in new or values[name] != new[name]:
            # A setting that is not there on one side came or went with another release.
            found[name] = {way: side[name] for way, side in (("from", values), ("to", new)) if name in side}
    secrets, fresh = before["secrets"], now["secrets"]
    if secrets.get("SECRET_KEY") != fresh["SECRET_KEY"]:
        return {**found, "SECRET_KEY": CHANGED}
    changed = [name for name in sorted(secrets.keys() | fresh.keys()) if secrets.get(name) != fresh.get(name)]
    return {**found, **dict.fromkeys(changed, CHANGED)}
