"""HAProxy's file, as whoever runs this may start it."""

import os
import pwd
import re
from contextlib import suppress
from pathlib import Path

# The lines by which it gives its rights away.
GIVEN_AWAY = re.compile(r"^ *(?:user|group|chroot) .*\n", re.MULTILINE)


def may_give_rights_away() -> bool:
    """Whether this is a root who may become another user: one of a namespace of users may not."""
    with suppress(KeyError):
        pwd.getpwnam("haproxy")
        return os.geteuid() == 0 and int(Path("/proc/self/uid_map").read_text().split()[2]) > 65_535
    return False


def as_may_be_started(file: Path) -> Path:
    """The file itself, changed where it must be: who has no rights has none to give away."""
    if not may_give_rights_away():
        file.write_text(GIVEN_AWAY.sub("", file.read_text()))
    return file
