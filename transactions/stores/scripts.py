"""Lua files: each stands beside the module that runs it, and says itself what it takes and returns."""

from pathlib import Path


def lua(module_file: str, name: str) -> str:
    """The text of `name`.lua in the folder of a module, for a client's `register_script`.

    redis-py then sends the script's SHA-1 alone, and the text again where Redis has forgotten it.
    """
    return Path(module_file).with_name(f"{name}.lua").read_text()
