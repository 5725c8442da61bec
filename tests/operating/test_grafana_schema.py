"""The Grafana dashboard is what Grafana's own types describe, and Prometheus reads each of its questions."""

import copy
import json
import shutil
import subprocess
import types
import typing
import warnings
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units

from tests.support.serving import ROOT

# It would rather have another form of the file, which older Grafanas do not read.
with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/transactions.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
# Older ones were of panels that are gone.
OLDEST_SCHEMA = 36
PROMTOOL = shutil.which("promtool")
# What Grafana puts in place of its own variables.
FILLED_IN = {"$__rate_interval": "1m", "$__interval": "15s", "$__range": "1h"}


def complaints(written: dict[str, Any]) -> list[str]:
    """What Grafana's types know nothing of, and what is of another kind than they say."""
    read = Dashboard.from_json(copy.deepcopy(written))
    again = json.loads(json.dumps(read, cls=JSONEncoder))
    return [*_lost(written, again, ""), *_of_another_kind(read, Dashboard, "")]


def _lost(written: Any, again: Any, path: str) -> Iterator[str]:
    """What is not there any more once it was read: what is not a field is passed over in silence."""
    if isinstance(written, dict) and isinstance(again, dict):
        for name, value in written.items():
            if name in again:
                yield from _lost(value, again[name], f"{path}/{name}")
            else:
                yield f"{path}/{name} is no field"
    elif isinstance(written, list) and isinstance(again, list) and len(written) == len(again):
        for number, pair in enumerate(zip(written, again, strict=True)):
            yield from _lost(*pair, f"{path}/{number}")
    elif written != again:
        yield f"{path} is {written!r}, and read as {again!r}"


def _of_another_kind(value: Any, kind: Any, path: str) -> Iterator[str]:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        found = [list(_of_another_kind(value, one, path)) for one in inner]
        yield from min(found, key=len)
    elif origin is list and isinstance(value, list):
        for number, one in enumerate(value):
            yield from _of_another_kind(one, inner[0], f"{path}/{number}")
    elif origin is dict and isinstance(value, dict):
        for name, one in value.items():
            yield from _of_another_kind(one, inner[1], f"{path}/{name}")
    elif origin is typing.Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        allowed = inner if origin else [member.value for member in kind]
        if value not in allowed:
            yield f"{path} is {value!r}, and may be one of {allowed}"
    elif not _is_a(value, origin or kind):
        yield f"{path} is {value!r}, and should be {kind}"
    elif type(value).__module__.startswith("grafana_foundation_sdk."):
        # Of the panel's or the question's own kind, where Dashboard says no more than `object`.
        for name, declared in typing.get_type_hints(type(value)).items():
            yield from _of_another_kind(getattr(value, name), declared, f"{path}/{name}")


def _is_a(value: Any, kind: Any) -> bool:
    if kind is Any or not isinstance(kind, type):
        return True
    if isinstance(value, bool):
        return kind in (bool, object)
    return isinstance(value, (int, float) if kind is float else kind)


def test_the_file_is_what_grafanas_own_types_describe() -> None:
    assert complaints(DASHBOARD) == []


def first(kind: str, written: dict[str, Any]) -> dict[str, Any]:
    return next(panel for panel in written["panels"] if panel["type"] == kind)


MISTAKES: dict[str, Callable[[dict[str, Any]], object]] = {
    "/refesh": lambda written: written.update(refesh="15s"),
    "/panels/0/tittle": lambda written: written["panels"][0].update(tittle="Books"),
    "/panels/0/options/color_mode": lambda written: first("stat", written)["options"].update(
        colorMode="backdrop"
    ),
    "/panels/0/grid_pos/w": lambda written: written["panels"][0]["gridPos"].update(w="4"),
    "/panels/0/targets/0/expression": lambda written: written["panels"][0]["targets"][0].update(
        expression="up"
    ),
    "/schema_version": lambda written: written.update(schemaVersion="39"),
}


@pytest.mark.parametrize("where", MISTAKES)
def test_a_mistake_in_it_would_be_found(where: str) -> None:
    written = copy.deepcopy(DASHBOARD)
    MISTAKES[where](written)

    assert any(complaint.startswith(f"{where} is ") for complaint in complaints(written))


def test_its_schema_is_one_that_grafana_reads() -> None:
    assert OLDEST_SCHEMA <= DASHBOARD["schemaVersion"] <= Dashboard().schema_version


def test_each_panel_asks_the_source_that_is_chosen_and_numbers_its_questions() -> None:
    sources = {
        f"${{{one['name']}}}" for one in DASHBOARD["templating"]["list"] if one["type"] == "datasource"
    }
    for panel in PANELS:
        assert panel["datasource"]["uid"] in sources, panel["title"]
        numbers = [target["refId"] for target in panel["targets"]]
        assert numbers
        assert len(set(numbers)) == len(numbers), panel["title"]
        assert len({panel["title"] for panel in PANELS}) == len(PANELS)


def test_each_unit_is_one_of_grafanas() -> None:
    known = {value for value in vars(units).values() if isinstance(value, str)}

    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS} <= known


def asked() -> list[str]:
    """The panels' questions as Grafana sends them."""
    found = [target["expr"] for panel in PANELS for target in panel["targets"]]
    for name, value in FILLED_IN.items():
        found = [expression.replace(name, value) for expression in found]
    return found


def judged(expressions: list[str], directory: Path) -> "subprocess.CompletedProcess[str]":
    """What promtool says to them: it reads a question only as that of a rule."""
    rules = [{"record": f"panel:{number}", "expr": one} for number, one in enumerate(expressions)]
    file = directory / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    return subprocess.run([str(PROMTOOL), "check", "rules", str(file)], capture_output=True, text=True)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: apt-get install prometheus")
def test_prometheus_reads_each_question(tmp_path: Path) -> None:
    questions = asked()
    assert not [one for one in questions if "$" in one]

    result = judged(questions, tmp_path)
    assert result.returncode == 0, result.stderr
    assert judged([*questions, "sum by (job) up"], tmp_path).returncode != 0
