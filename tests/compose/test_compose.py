"""The compose file as it is, on an engine: each test goes on where the one before it has ended."""

import os
import re
import time
from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest
from websockets.sync.client import connect

from tests.compose.engine import Engine
from tests.compose.sending import Sender, until
from tests.compose.site import Site, documented
from tests.support.containers import SERVICES, last_stage
from tests.support.tracebacks import errors
from tests.support.watching import PATH

ADD = "/api/add-transaction/"
LASTING = [name for name in SERVICES if name != "migrate"]
(BASE,) = (rest.split()[0] for word, rest in last_stage() if word == "FROM")
# Megabytes of the image, and seconds of a processor until it answers: those of a clock are the machine's.
IMAGE_MB, START_S = 300, 5.0


@pytest.fixture(scope="module")
def site(machine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Started as the handbook says, and nothing of it left afterwards."""
    made = Site(machine, tmp_path_factory.mktemp("site"))
    (certificates, _) = documented("Certificates")
    made.type(certificates)
    # Of a run before this one that was killed, where its images are kept.
    made.compose("down", "--volumes", "--timeout", "2")
    try:
        made.type("docker compose build --quiet\ndocker compose up -d\n")
        made.wait_until_healthy("web", "proxy", "worker", "beat")
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "2", check=False)


@pytest.fixture(scope="module")
def sender(site: Site) -> Sender:
    site.enroll()
    return Sender(site)


def figure(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        print(f"\n{text}", end="", flush=True)


def test_the_image_is_small_and_its_service_answers_soon(
    site: Site, machine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    (size,) = machine.run(
        "image", "inspect", "--format={{.Size}}", "transaction-monitoring:local"
    ).stdout.split()
    (base,) = machine.run("image", "inspect", "--format={{.Size}}", BASE).stdout.split()
    figure(
        capsys,
        f"image: {int(size) / 1e6:.0f} MB, of which the stand-in of Python is {int(base) / 1e6:.0f} MB",
    )
    assert int(size) < IMAGE_MB * 1_000_000

    site.compose("restart", "web")
    url = f"http://127.0.0.1:{site.port}/livez"
    until(lambda: answers(url), "web answers")
    answered = time.time()
    began = datetime.fromisoformat(site.running()["web"]["State"]["StartedAt"])
    took = answered - began.timestamp()
    ticks = sum(map(int, site.compose("exec", "-T", "web", "sh", "-c", TICKS).split()))
    worked = ticks / os.sysconf("SC_CLK_TCK")
    figure(capsys, f"start: {took:.1f} s, {worked:.1f} s of a processor, load {os.getloadavg()[0]:.0f}")
    assert worked < START_S


# What each process there has worked, in user's and system's ticks.
TICKS = "cut -d' ' -f14,15 /proc/[0-9]*/stat"


def answers(url: str) -> bool:
    try:
        return httpx.get(url, headers={"Host": "localhost"}, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


# What a process there may: its capabilities, whether it could have others, its user, whether it can write.
MAY = "grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; id -u; touch /here 2>&1 | grep -c 'Read-only'"


@pytest.mark.parametrize("name", LASTING)
def test_each_runs_without_root_without_capabilities_and_writes_to_nothing(site: Site, name: str) -> None:
    said = site.compose("exec", "-T", name, "sh", "-c", MAY).split()

    assert said[:4] == ["CapEff:", "0000000000000000", "NoNewPrivs:", "1"]
    assert int(said[4]) > 0
    assert said[5] == "1"


def test_the_world_comes_in_by_tls_alone(site: Site) -> None:
    with site.client() as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").json() == {"status": "ready"}
        assert client.get("/metrics").status_code == 404
        assert client.get("/admin/login/").status_code == 200
        assert client.post(ADD, json={}).status_code == 401
        plain = client.get(f"{site.plain}/admin/")
        assert (plain.status_code, plain.headers["Location"]) == (308, "https://localhost/admin/")
        assert client.get("/livez", headers={"Host": "example.net"}).status_code == 200
        assert client.get("/", headers={"Host": "example.net"}).status_code == 421


def test_the_first_administrator_logs_in(site: Site) -> None:
    site.type(
        "docker compose exec -e DJANGO_SUPERUSER_PASSWORD=of-the-first-one web"
        " python manage.py createsuperuser --noinput --username root --email root@example.org\n"
    )
    with site.client() as client:
        client.get("/admin/login/")
        form = {
            "username": "root",
            "password": "of-the-first-one",
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
        }
        answer = client.post("/admin/login/?next=/admin/", data=form, headers={"Referer": f"{site.secure}/"})
        assert (answer.status_code, answer.headers.get("Location")) == (302, "/admin/")
        page = client.get("/admin/")
        assert page.status_code == 200
        # Its style comes too, from the files that were collected for the image.
        (style, *_) = re.findall(r'<link href="(/static/[^"]+\.css)"', page.text)
        assert client.get(style).status_code == 200


def test_a_post_is_heard_by_wss_and_becomes_a_row(site: Site, sender: Sender) -> None:
    headers = {"Authorization": f"Bearer {site.token}"}
    url = site.secure.replace("https:", "wss:") + PATH
    with connect(url, ssl=site.tls(), additional_headers=headers, proxy=None, open_timeout=30) as websocket:
        sender.until_taken("the first")
        heard = ""
        while "the first" not in heard:
            heard = str(websocket.recv(timeout=30))

    until(lambda: site.rows() == ["the first"], "the row is stored")
    sender.nothing_is_lost()


@pytest.mark.parametrize("name", LASTING)
def test_nothing_is_lost_when_one_is_restarted(site: Site, sender: Sender, name: str) -> None:
    sender.during(f"restart {name}", lambda: site.compose("restart", name))

    sender.nothing_is_lost()


@pytest.mark.parametrize("name", ["database", "redis", "web", "proxy", "worker"])
def test_one_that_is_killed_comes_back_by_itself_and_nothing_is_lost(
    site: Site, sender: Sender, name: str
) -> None:
    before = site.running()[name]["RestartCount"]

    sender.during(f"kill {name}", lambda: site.kill(name))

    until(lambda: site.running()[name]["RestartCount"] == before + 1, "it is started again")
    site.wait_until_healthy(name)
    sender.nothing_is_lost()


def test_whatever_was_restarted_or_killed_no_log_has_a_traceback_of_ours(site: Site) -> None:
    """Before the logs go with their containers."""
    assert errors(site.compose("logs", "--no-log-prefix")) == []


def test_a_backup_as_documented_is_restored_as_documented(site: Site, sender: Sender) -> None:
    backup, restore = documented("Backup and restore")
    site.compose("stop", "beat", "worker")
    sender.until_taken("waits amid the backup")
    site.type(backup)
    lost = [f"after the backup {number}" for number in range(3)]
    for name in lost:
        assert site.post(name) == 200

    stores, rest = restore.split("# wait until both are healthy\n")
    site.type(stores)
    site.wait_until_healthy("database", "redis")
    site.type(rest)

    site.wait_until_healthy("web", "proxy", "worker")
    sender.nothing_is_lost()
    assert not set(lost) & set(site.rows())


def test_all_of_it_goes_down_and_comes_up_as_it_was(site: Site, sender: Sender) -> None:
    sender.until_taken("before all goes down")
    assert errors(site.compose("logs", "--no-log-prefix")) == []
    site.type("docker compose down\n")
    assert site.running() == {}

    site.type("docker compose up -d\n")

    site.wait_until_healthy("web", "proxy", "worker")
    sender.nothing_is_lost()
    sender.until_taken("after all came up")
    sender.nothing_is_lost()


def test_health_checks_are_well_and_no_log_has_a_traceback(site: Site) -> None:
    site.wait_until_healthy()

    assert "Traceback" not in site.compose("logs")
