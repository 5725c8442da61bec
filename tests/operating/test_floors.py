"""The floors in the architecture: drawn, and said of each room, as the contract of imports has them."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.operating.test_paths import APPLICATION, ARCHITECTURE, ROOMS, ROOT, section_of

_CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
# By package: its floors from the top down, each as the names of what stands on it.
FLOORS = {
    each["containers"][0]: [floor.split(" | ") for floor in each["layers"]]
    for each in _CONTRACTS
    if each["type"] == "layers"
}
INTERFACES = ["openapi", "dashboard", "admin_site", "tasks", "management"]
# Django finds it by a setting.
IMPORTED_BY_NOBODY = ROOT / "transaction_monitoring/formats"
WHO = "- **Who may know it:** "


@pytest.mark.parametrize("package", APPLICATION, ids=lambda package: package.name)
def test_the_floors_in_the_architecture_are_those_of_the_contract(package: Path) -> None:
    drawing = "\n".join(" | ".join(floor) for floor in FLOORS[package.name])
    assert f"```\n{drawing}\n```" in ARCHITECTURE.read_text()


@pytest.mark.parametrize(
    "room",
    [room for room in ROOMS if room not in (*APPLICATION, IMPORTED_BY_NOBODY)],
    ids=lambda room: room.relative_to(ROOT).as_posix(),
)
def test_who_may_know_a_room_begins_with_the_floor_above_it(room: Path) -> None:
    floors = FLOORS[room.parent.name]
    (at,) = [number for number, floor in enumerate(floors) if room.name in floor]
    (said,) = re.findall(rf"^{re.escape(WHO)}(.*)$", section_of(room), re.MULTILINE)
    assert re.match(rf"{re.escape(as_said(floors[at - 1]))} and up[.,:;]", said), said


def as_said(floor: list[str]) -> str:
    return "the interfaces" if floor == INTERFACES else ", ".join(f"`{name}`" for name in floor)
