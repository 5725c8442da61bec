"""A small cast for every test: users, a client, empty stores."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from channels.layers import channel_layers
from django.conf import settings
from django.contrib.auth.models import User
from django.test import override_settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from rest_framework.test import APIClient

from transactions.intake.lookups import lookups
from transactions.stores.redis_connection import connection

# How long an example takes says more of the machine, which runs several tests at once, than of the code.
hypothesis_settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def plain_static_files() -> Iterator[None]:
    """Pages name their files as they are: nothing is collected and hashed for a test."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


@pytest.fixture(autouse=True)
def empty_redis() -> Iterator[None]:
    """Redis is empty at the start of a test, and nothing is remembered of earlier users."""
    connection().flushdb()
    # A channel layer keeps locks of the loop on which somebody last received from it.
    channel_layers.backends.clear()
    yield
    lookups.forget()


@pytest.fixture
def people(transactional_db: None) -> list[User]:
    """Alice, Bob and Carol."""
    return [User.objects.create_user(name) for name in ("alice", "bob", "carol")]


@pytest.fixture
def api() -> APIClient:
    """A client of the REST API, from loopback and without credentials."""
    return APIClient()
