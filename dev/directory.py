"""The directory of one run: claimed by one process at a time, with the secrets it keeps."""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

_IN_MEMORY = ("tmpfs", "ramfs")


class DirectoryError(Exception):
    """The data directory cannot be used; the message is one line."""


class DataDirectory:
    """`path`, made if missing and locked until the process ends.

    Raises DirectoryError when it cannot be written or another run holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment_file = path / "run.env"
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DirectoryError(f"the data directory {path} cannot be written: {error.strerror}") from None
        try:
            # Settings of a second terminal take `run.env` only while this lock is held.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DirectoryError(f"the data directory {path} is in use by another run") from None

    @property
    def in_memory(self) -> bool:
        """Whether its file system forgets everything at power-off."""
        mounts = Path("/proc/self/mounts")
        if not mounts.exists():
            return False
        best, kind = Path("/"), ""
        for line in mounts.read_text().splitlines():
            _, point, type_, *_ = line.split()
            mounted = Path(point.encode().decode("unicode_escape"))
            if self.path.is_relative_to(mounted) and len(mounted.parts) >= len(best.parts):
                best, kind = mounted, type_
        return kind in _IN_MEMORY

    def publish(self, environment: dict[str, str]) -> None:
        """Write `run.env`, from which a second terminal's commands know this run."""
        lines = [f"{name}={value}\n" for name, value in sorted(environment.items())]
        write_private(self.environment_file, "".join(lines))

    def withdraw(self) -> bool:
        """Remove `run.env`; says whether there was one (of a run that was killed, before a start)."""
        try:
            self.environment_file.unlink()
        except FileNotFoundError:
            return False
        return True


def keep_secret(file: Path, size_bytes: int) -> str:
    """The secret kept in `file` (mode 0600); made up of `size_bytes` random bytes at the first call."""
    with contextlib.suppress(FileNotFoundError):
        if kept := file.read_text().strip():
            return kept
    new = secrets.token_urlsafe(size_bytes)
    write_private(file, new + "\n")
    return new


def write_private(file: Path, text: str) -> None:
    """Replace the file's content in one step, readable by its owner alone."""
    new = file.with_name(file.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
