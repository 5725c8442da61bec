"""What a command prints, for as long as somebody reads it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import OutputWrapper


@contextmanager
def read_while_wanted(stdout: OutputWrapper) -> Iterator[None]:
    """Ends what is printed within, quietly, where whoever reads has read enough: `rules list | head`."""
    try:
        yield
    except BrokenPipeError:
        pass
    finally:
        try:
            stdout.flush()
        except BrokenPipeError:
            # What Python flushes at its end goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
