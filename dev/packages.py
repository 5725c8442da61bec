"""The packages of the virtual environment: locked sets, each on top of those before it.

Installed by uv, in seconds. It asks the index that pip is configured for; where it cannot be had or fails,
pip installs the same from the same locks, in minutes. Imported by dev/install.py before anything is
installed: the standard library alone.
"""

import ast
import contextlib
import ensurepip
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

# The lock, beside the others, that says which uv.
LOCK_OF_UV = "requirements-dev.lock"

_VERSION = sys.version.split()[0]
_UNFINISHED = " unfinished"
# Or the lines of a Python program come at its end.
_OWN_LINES = {"PYTHONUNBUFFERED": "1"}
# What uv is told of pip's settings: the name there, the variable here, what is between several values.
_OF_PIP = (
    ("index-url", "UV_DEFAULT_INDEX", " "),
    ("extra-index-url", "UV_INDEX", " "),
    ("find-links", "UV_FIND_LINKS", ","),
    ("trusted-host", "UV_INSECURE_HOST", " "),
    ("proxy", "HTTP_PROXY", " "),
    ("proxy", "HTTPS_PROXY", " "),
    ("client-cert", "SSL_CLIENT_CERT", " "),
    ("default-timeout", "UV_HTTP_TIMEOUT", " "),
    ("timeout", "UV_HTTP_TIMEOUT", " "),
)


class InstallError(Exception):
    """The environment is not complete; the message is one line, and why is printed before."""


def install(directory: str, lock_files: list[str]) -> None:
    """Install into the virtual environment `directory` what `lock_files` name and it does not have yet.

    It is made if it is missing, and made anew when its Python or one of these locks has changed. Says
    what it does, set by set; nothing when nothing is to be done. Raises InstallError.
    """
    venv, locks = Path(directory), [Path(name) for name in lock_files]
    wanted = {lock.name: hashlib.sha256(lock.read_bytes()).hexdigest() for lock in locks}
    if _whole(_read(venv), wanted):
        return
    # A signal to make must not leave pip or uv behind, still writing.
    for ended_by in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ended_by, signal.default_int_handler)
    with _alone(venv.absolute().parent):
        installed = _read(venv)
        if _whole(installed, wanted):
            return
        print(f"installing into {venv}", flush=True)
        if not _fits(installed, wanted):
            installed = {}
            _make(venv, "--without-pip")
        with _installer(venv, locks[0].with_name(LOCK_OF_UV)) as installer:
            for number, lock in enumerate(locks):
                if installed.get(lock.name) != wanted[lock.name]:
                    packages = _beside(entries(lock), locks[:number])
                    print(f"  {lock.name}: {len(packages)} package{'s' * (len(packages) != 1)}", flush=True)
                    again = lock.name in installed
                    _write(venv, {**installed, lock.name: wanted[lock.name] + _UNFINISHED})
                    installer.install(lock.name, "".join(packages), again)
                    installed[lock.name] = wanted[lock.name]
                    _write(venv, installed)


def entries(lock: Path) -> dict[str, str]:
    """The packages of a lock by name, each with its lines: version, marker and hashes."""
    found: dict[str, str] = {}
    for text in re.split(r"^(?=[\w.-]+==)", lock.read_text(), flags=re.MULTILINE)[1:]:
        name = text.partition("==")[0]
        # One may be there twice, for different machines.
        found[name] = found.get(name, "") + text
    return found


def settings_of_pip(listed: str) -> dict[str, str]:
    """What `pip config list` says of an installation: its files, and above them the environment."""
    found = {}
    for section in ("global.", "install.", ":env:."):
        for line in listed.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section):
                found[name.removeprefix(section)] = str(ast.literal_eval(value))
    return found


def settings_for_uv(of_pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables by which uv fetches from where pip would, by pip's settings and the environment."""
    told = {
        variable: separator.join(of_pip[name].split())
        for name, variable, separator in _OF_PIP
        if of_pip.get(name)
    }
    # Whichever index offers a file: its hash decides, as with pip.
    told["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    of_requests = environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE")
    if authorities := of_pip.get("cert") or of_requests:
        told["SSL_CERT_DIR" if Path(authorities).is_dir() else "SSL_CERT_FILE"] = authorities
    return told


@dataclass(frozen=True)
class _Installer:
    """pip, and uv where it could be had, in an environment of their own beside the one that they fill."""

    directory: Path
    target: Path

    def install(self, name: str, text: str, again: bool) -> None:
        """Install the entries `text` of the lock `name`; if `again`, whatever is there of them already."""
        file = self._locked(text)
        uv = self.directory / "bin" / "uv"
        if os.access(uv, os.X_OK):
            listed = subprocess.run([*self._pip(), "config", "list"], capture_output=True, text=True).stdout
            of_pip = settings_of_pip(listed)
            # As pip does: or every process of a first start compiles the same.
            command = [
                str(uv),
                "pip",
                "install",
                "--python",
                str(_python(self.target)),
                "--compile-bytecode",
                *file,
            ]
            command += ["--no-index"] * (of_pip.get("no-index", "").lower() in ("1", "true", "yes", "on"))
            status, said = _run(command + ["--reinstall"] * again, settings_for_uv(of_pip, os.environ))
            if status == 0:
                return
            print(f"{said}  uv failed: pip goes on, which takes minutes", flush=True)
        command = [*self._pip(), "--python", str(_python(self.target)), "install", *file]
        status, said = _run(command + ["--force-reinstall"] * again, _OWN_LINES)
        if status != 0:
            print(said, end="", file=sys.stderr, flush=True)
            raise InstallError(f"the installation of {name} failed (status {status})")

    def fetch_uv(self, text: str) -> None:
        """Let pip install uv here, by its entry in a lock, if it can."""
        print("  uv, which installs the rest", flush=True)
        command = [*self._pip(), "install", "--only-binary", ":all:", *self._locked(text)]
        status, said = _run(command, _OWN_LINES)
        if status != 0:
            print(f"{said}  uv cannot be had: pip installs the rest, which takes minutes", flush=True)

    def _pip(self) -> list[str]:
        return [str(_python(self.directory)), "-m", "pip", "--disable-pip-version-check", "--no-input"]

    def _locked(self, text: str) -> list[str]:
        """Options of pip and uv alike, for entries of a lock: with their hashes, and nothing to resolve."""
        file = self.directory / "wanted.txt"
        file.write_text(text)
        return ["--no-deps", "--require-hashes", "-r", str(file)]


@contextlib.contextmanager
def _installer(venv: Path, lock_of_uv: Path) -> Iterator[_Installer]:
    """What installs into `venv`; taken away in the end, since nothing that is run needs it."""
    installer = _Installer(venv / "installer", venv)
    try:
        _make_with_pip(installer.directory)
        if text := entries(lock_of_uv).get("uv"):
            installer.fetch_uv(text)
        yield installer
    finally:
        shutil.rmtree(installer.directory, ignore_errors=True)


@contextlib.contextmanager
def _alone(where: Path) -> Iterator[None]:
    """`make run` and `make test` may be typed at once, in two terminals; `where` is what they lock."""
    where.mkdir(parents=True, exist_ok=True)
    held = os.open(where, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another make to install", flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _read(venv: Path) -> dict[str, str]:
    """What the environment has: the locks by name, with the digest of each; nothing if it is of no use."""
    try:
        lines = (venv / "installed").read_text().splitlines()
    except OSError:
        return {}
    found = dict(line.split(" ", 1) for line in lines)
    usable = found.pop("python", "") == _VERSION and os.access(_python(venv), os.X_OK)
    return found if usable else {}


def _write(venv: Path, installed: dict[str, str]) -> None:
    lines = [f"{name} {rest}\n" for name, rest in {"python": _VERSION, **installed}.items()]
    new = venv / "installed.new"
    new.write_text("".join(lines))
    new.replace(venv / "installed")


def _whole(installed: dict[str, str], wanted: dict[str, str]) -> bool:
    return all(installed.get(name) == digest for name, digest in wanted.items())


def _fits(installed: dict[str, str], wanted: dict[str, str]) -> bool:
    """Whether what is missing can be added: nothing there is of a lock that has changed since."""
    return bool(installed) and all(
        installed.get(name, digest).removesuffix(_UNFINISHED) == digest for name, digest in wanted.items()
    )


def _beside(found: dict[str, str], earlier: list[Path]) -> list[str]:
    """The entries of a lock, without packages of earlier ones: a run may be at work with these meanwhile."""
    # Those with a marker may not be there on this machine.
    there = {
        name for lock in earlier for name, text in entries(lock).items() if ";" not in text.partition("\n")[0]
    }
    return [text for name, text in found.items() if name not in there]


def _make(venv: Path, *options: str) -> None:
    """A virtual environment, empty. Raises InstallError."""
    status, said = _run([sys.executable, "-m", "venv", "--clear", *options, str(venv)], {})
    if status != 0:
        raise InstallError(f"the environment {venv} cannot be made (status {status}): {said.strip()}")


def _make_with_pip(venv: Path) -> None:
    """The same with pip, unpacked and no more: to compile all of it takes longer than it is used here."""
    bundled = sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).with_name("_bundled")
    wheel = max(Path(bundled).glob("pip-*.whl"), default=None)
    if wheel is None:
        _make(venv)
        return
    _make(venv, "--without-pip")
    with ZipFile(wheel) as files:
        files.extractall(venv / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages")


def _python(venv: Path) -> Path:
    return venv / "bin" / "python"


def _run(command: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """The status of a command and all that it said; what it downloads is told as it goes."""
    said = []
    with subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said.append(line)
                if line.lstrip().startswith("Downloading"):
                    print(f"    {line.strip()}", flush=True)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    return process.returncode, "".join(said)
