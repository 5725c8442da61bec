"""Make the virtual environment and install what is locked, unless all of it is there.

    python -m dev.install VENV LOCK...

Runs under whatever Python the machine has, to tell one that is too old; hence the plain syntax. What it
does is in dev/packages.py.
"""

import signal
import sys

LEAST = (3, 11)


def main():
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
    from dev.packages import InstallError, install

    try:
        install(sys.argv[1], sys.argv[2:])
    except InstallError as error:
        return str(error)
    except KeyboardInterrupt:
        return "the installation was interrupted; the next make goes on with it"
    return None


if __name__ == "__main__":
    # Until something is installed there is nothing to be said of Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    problem = main()
    if problem:
        sys.exit("make: %s" % problem)
