"""The Lua files, each beside the module that calls it."""

import hashlib
from functools import cache
from pathlib import Path


@cache
def script(room: str, name: str) -> tuple[str, str]:
    """The text of a Lua file in a room of the application and the SHA-1 by which Redis knows it."""
    source = (Path(__file__).parents[1] / room / f"{name}.lua").read_text()
    return source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
