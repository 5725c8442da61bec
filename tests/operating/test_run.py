"""`make run` as a user meets it: real processes, killed and stopped."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import redis

from dev.directory import DataDirectory
from dev.run import ROOT, Run
from tests.support.running import PROGRAMS, UserRun, processes

pytestmark = pytest.mark.slow


def start_that_fails(data: Path, **environment: str) -> str:
    """The one line on stderr of a run that cannot start."""
    return failed_start(data, **environment).stderr


def failed_start(data: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    run = UserRun(data, **environment)
    result = subprocess.run(
        [sys.executable, "-m", "dev.run"],
        cwd=ROOT,
        env=run.environment,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert result.returncode == 1, result
    assert result.stderr.count("\n") == 1, result
    assert list(processes(data)) == []
    return result


@pytest.fixture(scope="module")
def lasting_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UserRun]:
    run = UserRun(tmp_path_factory.mktemp("run") / "data")
    yield run
    if run.process is not None and not run.ended:
        run.stop()


@pytest.fixture
def run(lasting_run: UserRun) -> UserRun:
    """One that runs, whichever test came before: a process may be handed the last tests of a module first."""
    if lasting_run.process is None or lasting_run.ended:
        lasting_run.start()
    return lasting_run


def test_it_says_how_to_log_in(run: UserRun) -> None:
    password = (run.data / "admin-password").read_text().strip()

    # The output is a file's, which others may read: it says where the password is.
    assert f"as admin with the password in {run.data / 'admin-password'}\n" in run.text
    assert password not in run.text
    assert (run.data / "admin-password").stat().st_mode & 0o777 == 0o600
    assert run.answers()


def test_links_lead_to_the_host_that_one_logs_in_at(run: UserRun) -> None:
    """On another name of this machine there would be no session, and each link would end at the log-in."""
    assert f"log in at {run.published['SITE_URL']}/admin/ as admin" in run.text
    assert f"ready: {run.published['SITE_URL']}/\n" in run.text


def test_a_terminal_is_shown_the_first_password(tmp_path: Path) -> None:
    run = UserRun(tmp_path / "data")
    run.start_in_a_terminal()
    password = (run.data / "admin-password").read_text().strip()
    assert run.stop() == 0

    assert f"as admin with the password {password} (kept in {run.data / 'admin-password'})\n" in run.text


def test_a_second_terminal_finds_it(run: UserRun) -> None:
    alone = {"PATH": os.environ["PATH"], "DATA_DIR": str(run.data)}
    code = (
        "from django.conf import settings; print(settings.REDIS_URL, settings.DATABASES['default']['NAME'])"
    )
    result = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=ROOT,
        env=alone,
        capture_output=True,
        text=True,
    )

    assert result.stdout.split() == [run.published["REDIS_URL"], "transactions_database"], result.stderr
    assert (run.data / "run.env").stat().st_mode & 0o777 == 0o600


def test_a_second_terminal_has_the_currency_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURRENCY", "EUR")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        data = DataDirectory(tmp_path / "data")
        chosen = Run(data, listener, 1, 5).chosen
    data.publish({**chosen, "DATABASE_URL": "postgres:///any", "REDIS_URL": "redis://127.0.0.1:1"})
    code = "from transaction_monitoring.settings import CURRENCY; print(CURRENCY)"
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**plain, "DATA_DIR": str(data.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.split() == ["EUR"], result.stderr


def test_a_second_terminal_that_looks_elsewhere_says_where(run: UserRun, tmp_path: Path) -> None:
    """Beside a run whose DATA_DIR this terminal was not told; the default is a directory like any other."""
    elsewhere = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path / "elsewhere")}
    result = subprocess.run(
        [sys.executable, "manage.py", "verify"], cwd=ROOT, env=elsewhere, capture_output=True, text=True
    )

    assert (result.returncode, result.stdout) == (1, "")
    assert f"no `make run` of yours runs in {tmp_path / 'elsewhere'}: set DATA_DIR to the" in result.stderr


def test_a_second_terminal_that_comes_too_soon_is_told_to_wait(tmp_path: Path) -> None:
    claimed = DataDirectory(tmp_path)
    early = {"PATH": os.environ["PATH"], "DATA_DIR": str(claimed.path)}
    result = subprocess.run(
        [sys.executable, "manage.py", "verify"], cwd=ROOT, env=early, capture_output=True, text=True
    )

    told = f"the `make run` in {tmp_path} is not ready yet: try again once it says so\n"
    assert (result.returncode, result.stdout, result.stderr) == (1, "", told)


def test_a_data_dir_left_empty_is_the_default_for_a_run_and_for_a_second_terminal() -> None:
    empty = {"PATH": os.environ["PATH"], "DATA_DIR": "", "SECRET_KEY": "x"}
    show = "from transaction_monitoring.settings import DATA_DIR; print(DATA_DIR)"
    result = subprocess.run([sys.executable, "-c", show], cwd=ROOT, env=empty, capture_output=True, text=True)

    assert result.stdout == f"{ROOT / '.local'}\n"


def test_a_second_run_in_the_same_directory_is_refused(run: UserRun) -> None:
    run_twice = UserRun(run.data)
    result = subprocess.run(
        [sys.executable, "-m", "dev.run"],
        cwd=ROOT,
        env=run_twice.environment,
        capture_output=True,
        text=True,
        timeout=90,
    )

    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "is in use by another run" in result.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_killed_is_started_again(run: UserRun, program: str) -> None:
    # A run is ready once it answers; its workers may be a moment later.
    run.wait_until(lambda: run.pid_of(program) is not None, 30)
    killed = run.pid_of(program)
    assert killed is not None
    os.kill(killed, signal.SIGKILL)

    run.wait_until(lambda: run.pid_of(program) not in (None, killed), 30)
    run.wait_until(run.answers, 30)
    with redis.Redis.from_url(run.published["REDIS_URL"]) as client:
        run.wait_until(lambda: reachable(client, run), 30)


def reachable(client: redis.Redis, run: UserRun) -> bool:
    try:
        psycopg2.connect(run.published["DATABASE_URL"]).close()
        return bool(client.ping())
    except (psycopg2.OperationalError, redis.RedisError):
        return False


def test_a_stop_leaves_nothing_and_the_next_start_finds_the_data(run: UserRun) -> None:
    with redis.Redis.from_url(run.published["REDIS_URL"]) as client:
        client.set("kept", "1")
    assert run.stop(signal.SIGINT) == 0
    assert list(processes(run.data)) == []
    assert not (run.data / "run.env").exists()

    # Too late: there is an administrator.
    run.environment |= {"ADMIN_PASSWORD": "of the second start"}
    run.start()

    assert f"the password in {run.data / 'admin-password'}" in run.text
    with redis.Redis.from_url(run.published["REDIS_URL"]) as client:
        assert client.get("kept") == b"1"


def test_nothing_outlives_a_killed_run(run: UserRun) -> None:
    assert run.process is not None
    run.process.kill()
    run.process.wait()

    run.wait_until(lambda: not list(processes(run.data)), 10)
    run.start()
    assert "the previous run was killed" in run.text
    assert run.stop() == 0


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert f"port {port} cannot be used" in start_that_fails(tmp_path / "data", PORT=str(port))


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert "cannot be written" in start_that_fails(tmp_path / "file" / "data")


def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    assert "choose a shorter DATA_DIR" in start_that_fails(tmp_path / ("x" * 100))


def test_a_server_that_does_not_come_up_is_told(tmp_path: Path) -> None:
    (tmp_path / "data" / "redis").mkdir(parents=True)
    (tmp_path / "data" / "redis" / "appendonlydir").write_text("not a directory")

    message = start_that_fails(tmp_path / "data")

    assert "redis ended 6 times while starting, see" in message


def test_a_redis_of_the_environment_that_does_not_answer_is_told(tmp_path: Path) -> None:
    message = start_that_fails(tmp_path / "data", REDIS_URL=f"unix://{tmp_path}/none.sock")

    assert "no Redis answers at REDIS_URL" in message


@pytest.mark.parametrize(("name", "kind"), [("secret-key", "directory"), ("log", "file")])
def test_what_is_of_another_kind_than_it_should_be_is_told(tmp_path: Path, name: str, kind: str) -> None:
    """Found before anything is started, or amid the start."""
    wrong = tmp_path / "data" / name
    wrong.mkdir(parents=True)
    if kind == "file":
        wrong.rmdir()
        wrong.write_text("")

    assert str(wrong) in start_that_fails(tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("PORT", "8" * 5000),
        ("PORT", "８０００"),
        ("WEB_CONCURRENCY", "0"),
        ("FLUSH_INTERVAL_SECONDS", "+5"),
        ("FLUSH_INTERVAL_SECONDS", "100000"),
    ],
)
def test_a_bad_number_is_told(tmp_path: Path, name: str, value: str) -> None:
    assert f"{name} must be a whole number" in start_that_fails(tmp_path / "data", **{name: value})


def test_a_setting_that_cannot_be_right_is_told_by_the_last_line(tmp_path: Path) -> None:
    """By what prepares; what is loaded meanwhile ends without a word."""
    result = failed_start(tmp_path / "data", DEBUG="perhaps")

    assert result.stdout.count("DEBUG") == 1, result.stdout
    (told,) = re.findall(r"^\[prepare\] (DEBUG .*)$", result.stdout, re.MULTILINE)
    assert "[web]" not in result.stdout
    assert result.stderr == f"make run: prepare: {told}\n"


@pytest.mark.parametrize("named", [False, True], ids=["private", "of DATABASE_URL"])
def test_what_postgres_would_say_again_ends_the_start_in_its_words(tmp_path: Path, named: bool) -> None:
    url = {"DATABASE_URL": os.environ["DATABASE_URL"]} if named else {}

    message = start_that_fails(tmp_path / "data", PGOPTIONS="-c nonexistent=1", **url)

    assert 'FATAL:  unrecognized configuration parameter "nonexistent"' in message


def test_a_limit_that_redis_cannot_take_is_told_before_anything_is_made(tmp_path: Path) -> None:
    message = start_that_fails(tmp_path / "data", REDIS_MAXMEMORY="lots")

    assert message == "make run: REDIS_MAXMEMORY must be a number of bytes, such as 1gb, not 'lots'\n"
    assert not (tmp_path / "data" / "postgres").exists()


# A module that is loaded, and amid that Ctrl-C.
CTRL_C = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"


@pytest.mark.parametrize(
    ("command", "loaded"),
    [(["dev.install", "environment", "none.lock"], "venv"), (["dev.run"], "psycopg2")],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_ctrl_c_while_it_loads_ends_it_without_a_word(
    tmp_path: Path, command: list[str], loaded: str
) -> None:
    (tmp_path / f"{loaded}.py").write_text(CTRL_C)
    environment = {**UserRun(tmp_path / "data").environment, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("target", ["run", "test"])
def test_the_recipe_becomes_the_program(target: str) -> None:
    # Or a signal to make ends its shell and leaves the program running.
    command = ["make", "--no-print-directory", "-n", target]
    recipe = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert recipe.stdout.splitlines()[-1].startswith("exec ")


def test_a_terminal_that_was_closed_does_not_keep_it_from_stopping() -> None:
    """What it says on the way goes nowhere; it used to end in the middle and leave servers behind."""
    master, slave = os.openpty()
    program = "import sys; sys.stdin.read(); from dev.supervisor import say; say('stopping'); say('stopped')"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=slave) as process:
        os.close(slave)
        os.close(master)
        process.communicate()
    assert process.returncode == 0
