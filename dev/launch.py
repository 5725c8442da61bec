"""Turn into a command that dies with its parent and, on request, runs under another account.

    python -I -S launch.py PARENT_PID DEATH_SIGNAL ACCOUNT DIRECTORY COMMAND...

ACCOUNT is `same`, `nobody` (give up root; keep only the right to pass closed directories) or
`namespace` (a user namespace in which this user has another number). Both exist because
PostgreSQL refuses to run as root, and because no directory is opened to others for its sake.
Standard library alone, so that it starts in milliseconds; it runs before the command does, in a
process of its own, so that no code runs between a fork and an exec of a threaded program.
"""

import contextlib
import ctypes
import os
import pwd
import signal
import struct
import sys

UNPRIVILEGED = "nobody"

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 4
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CLONE_NEWUSER = 0x10000000

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    parent, death_signal, account, directory, *command = sys.argv[1:]
    try:
        if account == "nobody":
            _become_nobody()
        elif account == "namespace":
            _enter_namespace()
        # After the change of account, which clears it.
        die_with_parent(int(parent), int(death_signal))
        # Again under the new account: the command must be able to come back here.
        os.chdir(directory)
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"cannot start {command[0]} as {account}: {error}")


def die_with_parent(parent: int, death_signal: int) -> None:
    """Have this process sent the signal when the thread of the process `parent` that started it ends."""
    if sys.platform != "linux":
        return
    _call("prctl", _PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _become_nobody() -> None:
    account = pwd.getpwnam(UNPRIVILEGED)
    capability = _strongest_search_right()
    if capability is not None:
        _call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
        # Without it access(2) leaves the right out, and initdb asks access(2) for its programs;
        # where directories are open, it is not needed.
        with contextlib.suppress(PermissionError):
            _call("prctl", _PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    if capability is not None:
        _keep_only(capability)


def _strongest_search_right() -> int | None:
    """The least right this process holds that passes closed directories, None if it has none."""
    if sys.platform != "linux":
        return None
    with open("/proc/self/status") as status:
        permitted = next(int(line.split()[1], 16) for line in status if line.startswith("CapPrm"))
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if permitted >> capability & 1:
            return capability
    return None


def _keep_only(capability: int) -> None:
    mask = 1 << capability
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    # Effective, permitted, inheritable; the second triple is for rights over 31.
    _call("capset", header, struct.pack("6I", mask, mask, mask, 0, 0, 0))
    # Ambient rights outlive the exec without making it a privileged one.
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _enter_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    account = pwd.getpwnam(UNPRIVILEGED)
    _call("unshare", _CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{account.pw_uid} {uid} 1")
    _write("/proc/self/gid_map", f"{account.pw_gid} {gid} 1")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _call(function: str, *arguments: int | bytes) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
