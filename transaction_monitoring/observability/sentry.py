"""Errors to Sentry, where SENTRY_DSN is set: what failed and where, and nothing of whom or how much.

No request bodies, headers, cookies, queries, local variables or breadcrumbs (which quote SQL and
Redis commands); what is left is redacted as the log is.
"""

import sys
from typing import Any
from urllib.parse import urlsplit

import sentry_sdk
from sentry_sdk.utils import BadDsn

from . import logs

# Parts of an event that could hold what a client has sent.
LEFT_OUT = ("extra", "breadcrumbs", "user", "modules")


def start(dsn: str) -> None:
    """Reports unhandled exceptions and lines logged as errors to `dsn`; the end for what cannot be one."""
    try:
        sentry_sdk.init(
            dsn=dsn,
            send_default_pii=False,
            max_request_body_size="never",
            include_local_variables=False,
            max_breadcrumbs=0,
            before_send=scrubbed,  # type: ignore[arg-type]
        )
    except BadDsn:  # it has a key, so it is not shown
        sys.exit("SENTRY_DSN must be the address of a project, as in https://KEY@HOST/NUMBER, or empty")


def scrubbed(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """What is sent of an event."""
    kept: dict[str, Any] = {name: _redacted(part) for name, part in event.items() if name not in LEFT_OUT}
    if request := kept.pop("request", None):
        url = urlsplit(request.get("url", ""))._replace(query="", fragment="").geturl()
        kept["request"] = {"method": request.get("method"), "url": url}
    if entry := kept.get("logentry"):
        entry.pop("params", None)
    if name := logs.request_id.get():
        kept["tags"] = {**(kept.get("tags") or {}), "request_id": name}
    return kept


def _redacted(part: Any) -> Any:
    if isinstance(part, str):
        return logs.redacted(part)
    if isinstance(part, dict):
        return {name: _redacted(inner) for name, inner in part.items()}
    if isinstance(part, list | tuple):
        return [_redacted(inner) for inner in part]
    return part
