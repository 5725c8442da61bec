"""The systemd units: what they say, by systemd's own judgement and by our own promises."""

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.containers import SERVICES, command
from tests.support.serving import ROOT
from tests.support.tracebacks import errors

UNITS = ROOT / "deploy" / "systemd"
# Of the servers on one machine of three.
OF_MACHINES = ROOT / "deploy" / "machines" / "systemd"
NAMES = {"web": "transactions-web@.service", "worker": "transactions-worker.service"} | {
    "beat": "transactions-beat.service",
    "backtests": "transactions-backtests.service",
    "notifications": "transactions-notifications.service",
}
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def unit(name: str) -> dict[str, list[str]]:
    """A unit's settings, each with its values in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in (UNITS / name).read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


def after(name: str) -> set[str]:
    return {word for value in unit(name)["After"] for word in value.split()}


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """The units as if the project were installed where they say: here."""
    paths = []
    for file in (*UNITS.iterdir(), *OF_MACHINES.glob("*.service")):
        text = file.read_text()
        text = text.replace("/opt/transactions/.venv/bin", str(Path(sys.executable).parent))
        # What only a machine of three has.
        for program in ("/usr/bin/valkey-server", "/opt/patroni/.venv/bin/patroni"):
            text = text.replace(program, sys.executable)
        text = text.replace("/opt/transactions", str(ROOT))
        paths.append(tmp_path / file.name)
        paths[-1].write_text(text)
    return paths


def analyzed(verb: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(ANALYZE), verb, *arguments], capture_output=True, text=True)


@needs_systemd
def test_systemd_has_nothing_to_say_against_them(installed: list[Path]) -> None:
    result = analyzed("verify", "--man=no", *map(str, installed))

    ours = [line for line in result.stderr.splitlines() if "transactions" in line]
    assert (ours, result.returncode) == ([], 0)


@needs_systemd
def test_systemd_would_find_a_misspelt_setting(installed: list[Path]) -> None:
    (worker,) = (path for path in installed if path.name == NAMES["worker"])
    worker.write_text(worker.read_text().replace("KillMode=", "KilMode="))

    assert "KilMode" in analyzed("verify", "--man=no", str(worker)).stderr


@needs_systemd
@pytest.mark.parametrize("name", NAMES.values())
def test_systemd_finds_little_exposed(name: str, installed: list[Path]) -> None:
    (path,) = (path for path in installed if path.name == name)

    # In tenths: 0 is nothing, 100 all of the host. Network and user are left.
    result = analyzed("security", "--offline=true", "--threshold=20", str(path))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", NAMES)
def test_they_run_what_the_containers_run(name: str) -> None:
    (line,) = unit(NAMES[name])["ExecStart"]
    ours = line.replace("%i", "8000").split()
    theirs = [word.replace("0.0.0.0", "127.0.0.1") for word in command(name)]

    assert ours == [f"/opt/transactions/.venv/bin/{theirs[0]}", *theirs[1:]]


@pytest.mark.parametrize("name", NAMES)
def test_they_are_bounded_as_the_containers_are_and_come_back_for_ever(name: str) -> None:
    found = unit(NAMES[name])

    assert found["TimeoutStopSec"] == [SERVICES[name]["stop_grace_period"].removesuffix("s")]
    assert found["MemoryMax"] == [SERVICES[name]["mem_limit"].upper()]
    assert (found["Restart"], found["StartLimitIntervalSec"]) == (["always"], ["0"])
    assert found["EnvironmentFile"] == ["/etc/transactions/environment"]
    assert not any("SECRET" in value or "PASSWORD" in value for values in found.values() for value in values)


def test_they_stop_in_the_order_web_beat_worker() -> None:
    # What starts after another stops before it.
    assert after(NAMES["web"]) >= {NAMES["beat"], NAMES["worker"]}
    assert after(NAMES["beat"]) >= {NAMES["worker"]}
    assert not after(NAMES["worker"]) & set(NAMES.values())
    for name in NAMES.values():
        assert after(name) >= {"postgresql.service", "redis-server.service"}
        assert unit(name)["PartOf"] == ["transactions.target"]
    # Its children would each end their flush amid it.
    assert unit(NAMES["worker"])["KillMode"] == ["mixed"]


def test_the_target_starts_them_all() -> None:
    (wanted,) = unit("transactions.target")["Wants"]

    assert {re.sub(r"@\d+", "@", name) for name in wanted.split()} == set(NAMES.values())


def test_servers_of_a_machine_come_back_for_ever_and_redis_only_behind_the_guard() -> None:
    for file in OF_MACHINES.rglob("*.*"):
        if file.is_dir():
            continue
        text = file.read_text()
        assert "\nRestart=always\n" in text
        assert "\nStartLimitIntervalSec=0\n" in text
        started = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        # What stands beside a unit of Debian's starts nothing by itself.
        assert len(started) == (file.suffix == ".service")
        for line in started:
            assert ("valkey-server" in line) == ("deploy/machines/start_guard.py" in line)


@needs_systemd
def test_etcd_of_debian_comes_back_with_what_stands_beside_its_unit(tmp_path: Path) -> None:
    """Debian's own unit says on-abnormal: of one that ended with 1 nobody heard again."""
    unit = tmp_path / "etcd.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nRestart=on-abnormal\n")
    shutil.copytree(OF_MACHINES / "etcd.service.d", tmp_path / "etcd.service.d")
    result = analyzed("verify", "--man=no", str(unit))

    assert (result.stderr, result.returncode) == ("", 0)


def test_they_are_hardened_alike() -> None:
    def hardened(name: str) -> str:
        return (UNITS / name).read_text().partition("# Only what")[2].partition("[Install]")[0]

    assert len({hardened(name) for name in NAMES.values()}) == 1
    assert "NoNewPrivileges=yes" in hardened(NAMES["web"])


def test_a_traceback_in_a_journal_is_an_error_also_within_a_line_of_ours() -> None:
    """But for what Celery says while its Redis is restarted, which `make units` does."""
    traceback = "Traceback (most recent call last):\n  File ..."
    beat = {"logger": "celery.beat", "exception": traceback}
    away = {**beat, "message": "Message Error: away\n['File']"}
    taken = {"logger": "celery.worker.request", "message": "Couldn't ack '4'", "exception": traceback}
    ours = {"logger": "transactions.storing.watchdog", "message": "A flush failed"}
    wrong = [
        json.dumps({**ours, "exception": traceback}),
        json.dumps({**beat, "message": "No schedule"}),
        json.dumps({**away, "logger": "celery.worker"}),
        *traceback.splitlines(),
    ]
    told = [json.dumps(ours), "Started web.", json.dumps(away), json.dumps(taken), *wrong]

    assert errors("\n".join(told)) == wrong[:4]
