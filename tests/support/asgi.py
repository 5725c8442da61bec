"""A request as a server hands it to an ASGI application."""

from typing import Any


def http_scope(method: str, path: str, /, *headers: tuple[bytes, bytes], **more: Any) -> Any:
    """Of an address with its query, from loopback; `more` wins over what stands here."""
    before, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": before,
        "raw_path": before.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "extensions": None,
        **more,
    }
