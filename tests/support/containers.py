"""The container files as an engine reads them: variables filled in, commands split, files copied."""

import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

import yaml

from tests.support.serving import ROOT

COMPOSE = ROOT / "docker-compose.yml"
DOCUMENT: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
# $$, ${NAME:-default} and ${NAME:?message}.
VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")
FILLED_IN = {
    "SECRET_KEY": ascii_letters + digits,
    "ALLOWED_HOSTS": "example.org",
    "POSTGRES_PASSWORD": "of-postgres",
    "REDIS_PASSWORD": "of-redis",
}


def example() -> dict[str, str]:
    """What .env.example sets."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match("[A-Z_]+=", line))


def interpolated(value: Any, variables: dict[str, str]) -> Any:
    """What Compose makes of a value of the file."""
    if isinstance(value, dict):
        return {key: interpolated(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner, variables) for inner in value]
    if not isinstance(value, str):
        return value

    def replaced(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        given = variables.get(found["name"], "")
        assert given or found["kind"] == "-", f"{found['name']} is not set"
        return given or found["rest"]

    return VARIABLE.sub(replaced, value)


def service(name: str) -> dict[str, Any]:
    """A service, with .env.example as its .env and the secrets filled in."""
    found: dict[str, Any] = interpolated(SERVICES[name], {**example(), **FILLED_IN})
    return found


def command(name: str) -> list[str]:
    """A service's command as words: Compose splits a string like a shell, but no shell sees it."""
    found: str | list[str] = service(name)["command"]
    return shlex.split(found) if isinstance(found, str) else found


def health_check(name: str) -> list[str]:
    kind, *test = service(name)["healthcheck"]["test"]
    return ["sh", "-c", *test] if kind == "CMD-SHELL" else test


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: the word, and the rest of its line and the lines it goes on to."""
    text = (ROOT / "Dockerfile").read_text()
    text = re.sub("^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line]


def last_stage() -> list[tuple[str, str]]:
    """The instructions that make the image, after those of earlier stages."""
    found = instructions()
    return found[max(number for number, (word, _) in enumerate(found) if word == "FROM") :]


def copied() -> Iterator[Path]:
    """The files that the image's COPY instructions take."""
    for word, rest in last_stage():
        if word == "COPY":
            for source in rest.split()[:-1]:
                start = ROOT / source
                found = [start] if start.is_file() else start.rglob("*")
                yield from (path for path in found if path.is_file() and not _ignored(path))


def _ignored(path: Path) -> bool:
    """Whether .dockerignore leaves a file out: the last pattern that fits decides."""
    name, ignored = path.relative_to(ROOT).as_posix(), False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            if pattern.startswith("**/"):
                fits = any(fnmatch(part, pattern[3:]) for part in name.split("/"))
            else:
                fits = fnmatch(name, pattern) or name.startswith(f"{pattern}/")
            if fits:
                ignored = not line.startswith("!")
    return ignored
