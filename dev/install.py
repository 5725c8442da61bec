"""Make the virtual environment and install the locked packages, unless both are as they should be.

    python dev/install.py VENV LOCK

Runs under whatever Python the machine has, to tell one that is too old; hence the plain syntax.
"""

import hashlib
import os
import shutil
import subprocess
import sys

LEAST = (3, 11)


def main():
    venv, lock = sys.argv[1:]
    if sys.version_info < LEAST:
        return (
            "Python %d.%d or later is needed, this is %d.%d: set PYTHON, as in `make run PYTHON=python3.12`"
            % (LEAST + sys.version_info[:2])
        )
    try:
        import ensurepip  # noqa: F401
        import venv as _  # noqa: F401
    except ImportError:
        return "Python's venv module is missing: install it (on Debian and Ubuntu the package python3-venv)"
    with open(lock, "rb") as file:
        wanted = "%s %s\n" % (sys.version.split()[0], hashlib.sha256(file.read()).hexdigest())
    stamp = os.path.join(venv, "installed")
    if read(stamp) == wanted and os.access(os.path.join(venv, "bin", "python"), os.X_OK):
        return None
    return install(venv, lock, stamp, wanted)


def install(venv, lock, stamp, wanted):
    print("installing into %s ..." % venv, flush=True)
    python = os.path.join(venv, "bin", "python")
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", venv],
        # Every package is in the lock, with its hashes: nothing is left for pip to resolve.
        pip + ["--require-hashes", "-r", lock],
    ):
        status = subprocess.call(command)
        if status != 0:
            shutil.rmtree(venv, ignore_errors=True)
            return "the installation failed (status %d of: %s)" % (status, " ".join(command))
    with open(stamp, "w") as file:
        file.write(wanted)
    return None


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except IOError:
        return None


if __name__ == "__main__":
    problem = main()
    if problem:
        sys.exit("make: %s" % problem)
