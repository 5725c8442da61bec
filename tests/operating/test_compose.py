"""The container files: what they say, by the Compose specification and by our own promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.containers import COMPOSE, DOCUMENT, FILLED_IN, SERVICES, VARIABLE, example, instructions


def validated(file: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_file_follows_the_compose_specification() -> None:
    result = validated(COMPOSE)

    assert result.returncode == 0, result.stdout


def test_a_misspelt_key_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yml"
    wrong.write_text(COMPOSE.read_text().replace("depends_on:", "depend_on:"))

    assert validated(wrong).returncode != 0


def test_every_variable_is_in_the_example_and_what_must_be_filled_in_is_empty_there() -> None:
    found = {
        match["name"]: match["kind"] for match in VARIABLE.finditer(COMPOSE.read_text()) if match["name"]
    }

    assert found.keys() <= example().keys()
    needed = {name for name, kind in found.items() if kind == "?"}
    assert needed == FILLED_IN.keys()
    assert {name for name in needed if example()[name]} == set()


def test_a_default_in_the_file_is_that_of_the_example() -> None:
    defaults = {
        match["name"]: match["rest"]
        for match in VARIABLE.finditer(COMPOSE.read_text())
        if match["kind"] == "-"
    }

    assert defaults
    assert defaults == {name: example()[name] for name in defaults}


def test_no_secret_stands_in_the_file() -> None:
    for name, found in SERVICES.items():
        for variable, value in found["environment"].items():
            if re.search("SECRET|PASSWORD|AUTH|TOKEN", variable) and not variable.endswith("_ARGS"):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), (name, variable)
            if "://" in value:
                assert re.search(r"://\w*:\$\{\w+:\?[^}]+\}@", value), (name, variable)


def test_images_are_pinned_to_a_release() -> None:
    images = [found["image"] for found in SERVICES.values() if "build" not in found]
    images += [rest.split()[0] for word, rest in instructions() if word == "FROM"]

    assert len(images) == 4
    for image in images:
        assert re.fullmatch(r"[a-z]+:\d+(\.\d+)+-[a-z-]+", image), image


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_runs_as_root_or_could_become_it(name: str) -> None:
    found = SERVICES[name]

    assert found["user"].partition(":")[0] not in ("", "0", "root")
    assert found["cap_drop"] == ["ALL"]
    assert "cap_add" not in found
    assert "privileged" not in found
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["read_only"] is True
    assert [rest for word, rest in instructions() if word == "USER"] == ["10001:10001"]


def test_nothing_is_reached_from_outside_but_the_proxy_and_the_service_on_loopback() -> None:
    published = {name: found["ports"] for name, found in SERVICES.items() if "ports" in found}

    assert published == {
        "web": ["127.0.0.1:${PORT:-8000}:8000"],
        "proxy": ["${HTTP_PORT:-80}:8080", "${HTTPS_PORT:-443}:8443"],
    }
    assert DOCUMENT["networks"]["backend"]["internal"] is True
    assert {name for name, found in SERVICES.items() if found["networks"] != ["backend"]} == {
        "web",
        "proxy",
        "notifications",
    }
    # Webhooks and mail go out, and nobody comes in that way.
    assert [name for name, found in SERVICES.items() if "outside" in found["networks"]] == ["notifications"]
    # The stores cannot be reached by way of the proxy.
    assert SERVICES["proxy"]["networks"] == ["frontend"]


@pytest.mark.parametrize("name", ["web", "worker", "backtests", "notifications", "beat", "migrate"])
def test_the_application_believes_one_proxy(name: str) -> None:
    environment = SERVICES[name]["environment"]

    assert environment["TRUSTED_PROXIES"] == "1"
    assert environment["SECURE_PROXY_SSL_HEADER"] == "X-Forwarded-Proto,https"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_watched_and_started_again(name: str) -> None:
    found = SERVICES[name]

    assert found["mem_limit"]
    if name == "migrate":
        assert (found["restart"], found.get("healthcheck")) == ("no", None)
        return
    assert found["restart"] == "unless-stopped"
    assert found["healthcheck"]["retries"] >= 2
    assert re.fullmatch(r"\d+s", found["stop_grace_period"])


def test_what_is_kept_is_on_named_volumes() -> None:
    written = {
        name: [volume for volume in found["volumes"] if not volume.endswith(":ro")]
        for name, found in SERVICES.items()
        if "volumes" in found
    }
    assert written == {
        "proxy": [],
        "database": ["database:/var/lib/postgresql"],
        "redis": ["redis:/data"],
    }
    assert set(DOCUMENT["volumes"]) == {"database", "redis"}


@pytest.mark.parametrize("name", ["web", "worker", "backtests", "notifications", "beat"])
def test_the_application_waits_for_its_stores_and_their_tables(name: str) -> None:
    conditions = {other: wanted["condition"] for other, wanted in SERVICES[name]["depends_on"].items()}

    assert conditions == {
        "database": "service_healthy",
        "redis": "service_healthy",
        "migrate": "service_completed_successfully",
    }
