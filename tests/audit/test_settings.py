"""Settings that differ from a program's last start, and tokens whose time has come."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as present
from django.utils import timezone
from pytest_django import Settings

from tests.support.audit_trail import head, newest, told
from tests.support.serving import daphne
from transactions.access import tokens
from transactions.audit import known_settings
from transactions.audit.models import Entry, KnownSettings
from transactions.models import ApiToken
from transactions.tasks import note_expired_tokens

pytestmark = pytest.mark.django_db(transaction=True)


def changes(program: str = "web") -> Any:
    """What the next start of a program notes; None where nothing."""
    before = head()
    known_settings.note_differences(program)
    found = told(before)
    assert len(found) <= 1
    if not found:
        return None
    action, target, details = found[0]
    assert (action, target) == ("setting.changed", program)
    return details["settings"]


def test_a_setting_that_differs_is_noted_once_with_both_values(settings: Settings) -> None:
    assert changes() is None
    settings.ALLOW_DELETE_ALL = not present.ALLOW_DELETE_ALL
    settings.RETENTION_DAYS = 90
    settings.AXES_COOLOFF_TIME = timedelta(hours=1)
    settings.ALLOWED_HOSTS = ["example.org"]
    found = changes()
    assert sorted(found) == ["ALLOWED_HOSTS", "ALLOW_DELETE_ALL", "AXES_COOLOFF_TIME", "RETENTION_DAYS"]
    assert found["RETENTION_DAYS"] == {"from": 0, "to": 90}
    assert found["AXES_COOLOFF_TIME"] == {"from": "0:15:00", "to": "1:00:00"}
    assert found["ALLOWED_HOSTS"]["to"] == ["example.org"]
    assert changes() is None


def test_programs_are_told_apart(settings: Settings) -> None:
    changes("web")
    settings.RETENTION_DAYS = 90
    assert changes("worker") is None
    assert changes("web") == {"RETENTION_DAYS": {"from": 0, "to": 90}}


def test_of_a_secret_it_is_said_that_it_changed(settings: Settings) -> None:
    changes()
    settings.REDIS_URL = "redis://:hunter2@example.org/0"
    settings.SENTRY_DSN = "https://hunter3@example.org/1"
    settings.CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": ["redis://:hunter4@example.org"]}}}
    settings.STATIC_ROOT = "https://user:hunter5@example.org/"
    found = changes()
    assert {"REDIS_URL", "SENTRY_DSN", "CHANNEL_LAYERS", "STATIC_ROOT"} <= {
        name for name in found if found[name] == "changed"
    }
    kept = json.dumps([*KnownSettings.objects.values(), *Entry.objects.values()], default=str)
    for secret in ("hunter2", "hunter3", "hunter4", "hunter5", present.SECRET_KEY):
        assert secret not in kept


def test_with_another_key_nothing_is_said_of_other_secrets(settings: Settings) -> None:
    changes()
    settings.SECRET_KEY = "another one that is long enough to be no other"  # noqa: S105
    settings.RETENTION_DAYS = 90
    assert changes() == {"RETENTION_DAYS": {"from": 0, "to": 90}, "SECRET_KEY": "changed"}
    settings.REDIS_URL = "redis://example.org/7"
    assert changes() == {"REDIS_URL": "changed"}


def test_a_setting_that_came_or_went_with_a_release_has_one_value() -> None:
    changes()
    row = KnownSettings.objects.get(program="web")
    row.known["values"]["OLD_SETTING"] = 3
    del row.known["values"]["RETENTION_DAYS"]
    row.save()
    assert changes() == {"OLD_SETTING": {"from": 3}, "RETENTION_DAYS": {"to": 0}}


@pytest.mark.slow
def test_a_web_process_compares_at_its_start() -> None:
    before = head()
    for days in (30, 60):
        with daphne(RETENTION_DAYS=str(days)):
            until = time.monotonic() + 60
            while not KnownSettings.objects.filter(known__values__RETENTION_DAYS=days).exists():
                assert time.monotonic() < until
                time.sleep(0.05)
    changed = [details["settings"] for action, _, details in told(before) if action == "setting.changed"]
    assert [each["RETENTION_DAYS"] for each in changed] == [{"from": 30, "to": 60}]


def test_a_token_that_has_expired_is_noted_once() -> None:
    for name in ("ended", "revoked", "goes on"):
        tokens.create(name, lifetime=timedelta(days=1))
    tokens.create("for ever")
    tokens.revoke("revoked")
    ApiToken.objects.filter(name__in=["ended", "revoked"]).update(expires_at=timezone.now())
    before = head()
    note_expired_tokens()
    note_expired_tokens()
    assert [(action, target) for action, target, _ in told(before)] == [("token.expired", "ended")]
    assert newest()[0].target_id == str(ApiToken.objects.get(name="ended").pk)
