"""A command of manage.py that is ended by Ctrl-C in the midst of its posts."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

from tests.support.serving import ROOT, database_url
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection


def interrupted(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit status, output and errors of the command, interrupted once something is queued."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite that was started in the background ignores Ctrl-C, and its children would too.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not connection().llen(QUEUE):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    return process.returncode, out, error
