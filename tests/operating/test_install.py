"""What `make` installs before it runs anything: sets of packages on top of each other, by uv or else by pip.

Against an index of this machine's own, with packages of one line, that only pip's configuration names.
"""

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import pytest

from dev.packages import settings_for_uv, settings_of_pip
from tests.support.serving import ROOT

pytestmark = pytest.mark.slow

RUN, PRIVATE, DEV = "requirements.lock", "requirements-private.lock", "requirements-dev.lock"

# In place of uv's own wheel: the uv of this environment, where it is not told to hang or to fail.
UV = f"""#!/bin/sh
[ -z "$UV_HANGS" ] || {{ touch "$UV_HANGS"; exec sleep 600; }}
[ -z "$UV_FAILS" ] || {{ echo "no uv today"; exit 2; }}
exec {Path(sys.executable).parent / "uv"} "$@"
"""


class Index:
    """An index of packages in a directory, and the locks and the environment that are made of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.venv = directory / "venv"
        (directory / "pip.conf").write_text(f"[global]\nindex-url = {(directory / 'simple').as_uri()}\n")
        self.add("uv", "1", {"uv-1.data/scripts/uv": UV})

    def add(self, name: str, version: str, files: dict[str, str] | None = None) -> None:
        """Offer a package: a module of its name that knows its version, or these files."""
        files = files or {f"{name}.py": f"version = {version!r}\n"}
        information = f"{name}-{version}.dist-info"
        files |= {
            f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{information}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = [f"{file},{digest(text)},{len(text)}\n" for file, text in files.items()]
        files[f"{information}/RECORD"] = "".join([*record, f"{information}/RECORD,,\n"])
        page = self.directory / "simple" / name
        page.mkdir(parents=True, exist_ok=True)
        with ZipFile(page / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            for file, text in files.items():
                entry = ZipInfo(file)
                entry.external_attr = 0o100755 << 16  # A file that may be run.
                wheel.writestr(entry, text)
        links = [f'<a href="{found.name}">{found.name}</a>\n' for found in page.glob("*.whl")]
        (page / "index.html").write_text(f"<html><body>\n{''.join(links)}</body></html>\n")

    def lock(self, file: str, *pins: str) -> None:
        """Write a lock of packages named as in `name==version`."""
        text = ""
        for pin in pins:
            name, version = pin.split("==")
            wheel = self.directory / "simple" / name / f"{name}-{version}-py3-none-any.whl"
            text += (
                f"{pin} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n    # via\n"
            )
        (self.directory / file).write_text(text)

    def command(self, *locks: str) -> list[str]:
        files = [str(self.directory / file) for file in locks]
        return [sys.executable, "-m", "dev.install", str(self.venv), *files]

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "PIP_CONFIG_FILE": str(self.directory / "pip.conf"),
            **more,
        }

    def install(self, *locks: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*locks),
            cwd=ROOT,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
        )

    def module(self, name: str) -> Path:
        (packages,) = self.venv.glob("lib/python*/site-packages")
        return packages / f"{name}.py"


def digest(text: str) -> str:
    """As a wheel's RECORD has it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def offered(directory: Path) -> Index:
    """With an application, the servers it needs to run, and tools for its tests, uv among them."""
    index = Index(directory)
    for name in ("application", "servers", "tools"):
        index.add(name, "1")
    index.lock(RUN, "application==1")
    index.lock(PRIVATE, "servers==1")
    index.lock(DEV, "application==1", "tools==1", "uv==1")
    return index


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return offered(tmp_path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of an index, with what running needs installed in its environment."""
    index = offered(tmp_path_factory.mktemp("installed"))
    done = index.install(RUN, PRIVATE)

    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if "Downloading" not in line] == [
        f"installing into {index.venv}",
        "  uv, which installs the rest",
        "  requirements.lock: 1 package",
        "  requirements-private.lock: 1 package",
    ]
    return index.directory


@pytest.fixture
def running(installed: Path, tmp_path: Path) -> Index:
    """A copy of it, at a hundredth of the time."""
    return Index(shutil.copytree(installed, tmp_path / "copy", symlinks=True))


def test_a_set_is_added_and_what_is_there_is_left_alone(running: Index) -> None:
    assert running.install(RUN, PRIVATE).stdout == ""
    running.module("application").write_text("left alone")

    added = running.install(RUN, PRIVATE, DEV)

    assert added.stdout.splitlines()[-1] == "  requirements-dev.lock: 2 packages"
    assert running.module("tools").exists()
    assert running.module("application").read_text() == "left alone"
    assert running.install(RUN, PRIVATE).stdout == ""
    assert running.install(RUN, PRIVATE, DEV).stdout == ""


def test_an_addition_that_was_interrupted_is_made_good_and_hurts_no_run(running: Index) -> None:
    status, said = interrupted(running, RUN, PRIVATE, DEV)
    # What an interruption may leave: a package that says it is there, and is not.
    half = running.module("tools").with_name("tools-1.dist-info")
    half.mkdir()
    (half / "METADATA").write_text("Metadata-Version: 2.1\nName: tools\nVersion: 1\n")
    (half / "RECORD").write_text("tools.py,,\n")

    assert (status, said) == (1, "make: the installation was interrupted; the next make goes on with it\n")
    assert running.install(RUN, PRIVATE).stdout == ""
    again = running.install(RUN, PRIVATE, DEV)
    assert again.stdout.splitlines()[-1] == "  requirements-dev.lock: 2 packages"
    assert running.module("tools").exists()


def interrupted(index: Index, *locks: str) -> tuple[int, str]:
    """The status and last words of an installation that is stopped while uv is at work, and uv with it."""
    hangs = index.directory / "hangs"
    with subprocess.Popen(
        index.command(*locks),
        cwd=ROOT,
        env=index.environment(UV_HANGS=str(hangs)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not hangs.exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        # To its end: as long as uv lives, it holds the other end of the pipe.
        _, said = process.communicate(timeout=30)
    return process.returncode, said


def test_one_that_was_interrupted_at_first_is_not_taken_for_whole(index: Index) -> None:
    assert interrupted(index, RUN, PRIVATE)[0] == 1

    done = index.install(RUN, PRIVATE)

    assert (done.returncode, done.stderr) == (0, "")
    assert index.module("application").exists()
    assert index.module("servers").exists()


def test_a_lock_that_changed_makes_it_anew_and_one_not_asked_for_does_not(running: Index) -> None:
    running.install(RUN, PRIVATE, DEV)
    running.lock(DEV, "tools==1", "uv==1")
    assert running.install(RUN, PRIVATE).stdout == ""
    running.add("application", "2")
    running.lock(RUN, "application==2")

    done = running.install(RUN, PRIVATE)

    assert (done.returncode, done.stderr) == (0, "")
    assert running.module("application").read_text() == "version = '2'\n"
    assert not running.module("tools").exists()


def test_pip_goes_on_where_uv_fails(running: Index) -> None:
    done = running.install(RUN, PRIVATE, DEV, UV_FAILS="yes")

    assert done.returncode == 0
    assert "no uv today\n  uv failed: pip goes on, which takes minutes\n" in done.stdout
    assert running.module("tools").exists()
    assert running.install(RUN, PRIVATE, DEV).stdout == ""


def test_pip_does_all_of_it_where_uv_cannot_be_had(index: Index) -> None:
    shutil.rmtree(index.directory / "simple" / "uv")

    done = index.install(RUN, PRIVATE)

    assert (done.returncode, done.stderr) == (0, "")
    assert "uv cannot be had: pip installs the rest" in done.stdout
    assert index.module("servers").exists()


def test_a_file_whose_hash_is_not_the_locked_one_is_refused(running: Index) -> None:
    running.add("tools", "1", {"tools.py": "another = True\n"})

    for _ in range(2):
        done = running.install(RUN, PRIVATE, DEV)

        assert done.returncode == 1
        assert (
            done.stderr.splitlines()[-1]
            == "make: the installation of requirements-dev.lock failed (status 1)"
        )
    assert not running.module("tools").exists()
    assert running.install(RUN, PRIVATE).stdout == ""


def test_uv_asks_where_pip_would() -> None:
    of_files_and_environment = """\
:env:.extra-index-url='https://a.example/simple https://b.example/simple'
global.cert='/etc/authorities.pem'
global.extra-index-url='https://of.a.file.example/simple'
global.find-links='\\n/srv/one\\n/srv/two'
global.index-url='https://overruled.example/simple'
global.timeout='90'
install.index-url='https://mirror.example/simple'
install.trusted-host='mirror.example'
wheel.index-url='https://of.another.command.example/simple'
"""

    assert settings_for_uv(settings_of_pip(of_files_and_environment), {}) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_FIND_LINKS": "/srv/one,/srv/two",
        "UV_INSECURE_HOST": "mirror.example",
        "UV_HTTP_TIMEOUT": "90",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/etc/authorities.pem",
    }


def test_uv_trusts_whom_pip_trusts() -> None:
    known_to_requests = {"REQUESTS_CA_BUNDLE": "/etc/authorities.pem"}

    assert settings_for_uv({}, known_to_requests)["SSL_CERT_FILE"] == "/etc/authorities.pem"
    assert settings_for_uv({"cert": "/etc"}, known_to_requests)["SSL_CERT_DIR"] == "/etc"
    assert "SSL_CERT_FILE" not in settings_for_uv({}, {})
