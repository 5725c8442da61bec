"""A client of the public API: batches over one kept connection, sent again until they are answered.

For the commands that post. Standard library alone, since they ship with the application. Sending
the same batch again is safe: what was taken the first time is answered as a replay.
"""

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

PATH = "/api/add-transactions/"
# Answers that time may mend: the server, or what stands before it, is busy or away.
AGAIN = frozenset({429, 502, 503, 504})
# Failures that waiting does not mend: no such host, a certificate that is not trusted, a token that no
# header can hold.
HOPELESS = (ssl.SSLCertVerificationError, socket.gaierror, ValueError)
# Without an answer for this long, a batch is given up.
PATIENCE_S = 120.0
# Pauses between two tries, each twice as long as the one before.
PAUSE_S_MIN = 0.25
PAUSE_S_MAX = 5.0
# How long one try waits for the server to say something.
TIMEOUT_S = 60.0
# More than the answer to any batch that fits a request.
ANSWER_BYTES_MAX = 64 * 1024 * 1024
# Records of a batch of which the API tells every one that it refuses.
PORTION = 100
_MARKUP = re.compile(r"<(style|script)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)

HINTS = {
    401: "give a token: API_TOKEN in the environment, or --token",
    403: "give a token that may post: API_TOKEN in the environment, or --token",
    404: "is the URL right?",
    413: "use a smaller --batch",
}


class PostingError(Exception):
    """A batch was turned away whole, or got no answer for too long; the message is one line."""


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What became of a batch; `errors` tells of each record that was refused, by its `index` from 0.

    Of a large batch the API tells the first alone; `left_out` counts the others.
    """

    accepted: int
    duplicates: int
    conflicts: int
    invalid: int
    errors: list[dict[str, Any]]
    left_out: int = 0
    # Which records were duplicates, by their index; None where nobody says so, as the API does not.
    replays: frozenset[int] | None = None
    # Whether it was sent again, so that a try without an answer may have been the one that was accepted.
    resent: bool = False


def default_url() -> str:
    """Where `make run` answers; its PORT is in the environment, or in what a running one has published."""
    return f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"


class Client:
    """Posts to the API at `url` (http or https, with or without a path before /api/).

    `patience_s` is how long one batch is tried; `notice` hears of every wait, in one line.
    Raises PostingError for a URL that is none.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        patience_s: float = PATIENCE_S,
        notice: Callable[[str], object] = lambda line: None,
    ) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise PostingError(f"{url!r} is no URL: {error}") from None
        if parts.scheme not in ("http", "https") or not host:
            raise PostingError(f"{url!r} is no URL: expected http://HOST:PORT or https://HOST")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(host, port, timeout=TIMEOUT_S)
        self._path = parts.path.rstrip("/") + PATH
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._patience_s = patience_s
        self._notice = notice

    def post_and_tell_all(self, records: Sequence[Mapping[str, object]]) -> BatchAnswer:
        """As `post`, and `errors` tells of every record that was refused. Raises PostingError.

        Where the API left some out, the batch is sent again in portions so small that it leaves out none:
        what was taken the first time is answered as a replay.
        """
        whole = self.post(records)
        if not whole.left_out:
            return whole
        portions = [(at, self.post(records[at : at + PORTION])) for at in range(0, len(records), PORTION)]
        accepted = whole.accepted + sum(answer.accepted for _, answer in portions)
        conflicts = sum(answer.conflicts for _, answer in portions)
        invalid = sum(answer.invalid for _, answer in portions)
        errors = [
            {**error, "index": at + error["index"]} for at, answer in portions for error in answer.errors
        ]
        duplicates = len(records) - accepted - conflicts - invalid
        resent = whole.resent or any(answer.resent for _, answer in portions)
        return BatchAnswer(accepted, duplicates, conflicts, invalid, errors, resent=resent)

    def post(self, records: Sequence[Mapping[str, object]]) -> BatchAnswer:
        """The API's answer to a batch. Raises PostingError."""
        body = json.dumps(records).encode()
        deadline = time.monotonic() + self._patience_s
        # The first failure may be a kept connection that the server has closed: at once again.
        pause_s, resent = 0.0, False
        while True:
            why, wait_s = self._try(body)
            if isinstance(why, bytes):
                return replace(_read(why, len(records), self._server), resent=resent)
            resent = True
            wait_s = max(pause_s, wait_s)
            if time.monotonic() + wait_s > deadline:
                raise PostingError(f"gave up after {self._patience_s:g} s: {why}")
            if wait_s:
                self._notice(f"{why}: the same again in {wait_s:.1f} s, which is safe")
            time.sleep(wait_s)
            pause_s = min(max(PAUSE_S_MIN, pause_s * 2), PAUSE_S_MAX)

    def close(self) -> None:
        self._connection.close()

    def _try(self, body: bytes) -> tuple[bytes | str, float]:
        """The content of a 200; else why to try again, and how many seconds the server asks to wait."""
        try:
            self._connection.request("POST", self._path, body, self._headers)
            response = self._connection.getresponse()
            content = response.read(ANSWER_BYTES_MAX)
        except HOPELESS as error:
            raise PostingError(f"{self._server}: {error}") from None
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return f"{self._server} does not answer ({error or type(error).__name__})", 0.0
        if response.status == http.HTTPStatus.OK:
            return content, 0.0
        told = f"{self._server} answered {response.status} {response.reason}: {_detail(content)}"
        if response.status in AGAIN:
            return told, _seconds(response.headers.get("Retry-After"))
        hint = HINTS.get(response.status)
        if 300 <= response.status < 400:
            hint = f"it sends us to {response.headers.get('Location')}: give that server as --url"
        raise PostingError(f"{told} ({hint})" if hint else told)


def _seconds(retry_after: str | None) -> float:
    """Retry-After in seconds; a date, which our API does not send, counts as none."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0


def _detail(content: bytes) -> str:
    """What an error's body says, in one line of at most 200 characters; of a page, its words."""
    text = _MARKUP.sub(" ", content[:20_000].decode(errors="replace"))
    with contextlib.suppress(ValueError):
        document = json.loads(content)
        if isinstance(document, dict) and "detail" in document:
            text = str(document["detail"])
    return " ".join(text.split())[:200] or "no explanation"


def _read(content: bytes, count: int, server: str) -> BatchAnswer:
    """What a body says. Raises PostingError where it does not tell of `count` records."""
    try:
        document = json.loads(content)
        answer = BatchAnswer(
            int(document["accepted"]),
            int(document["duplicates"]),
            int(document["conflicts"]),
            int(document["invalid"]),
            list(document["errors"]),
            int(document.get("errors_left_out", 0)),
        )
    except (ValueError, KeyError, TypeError):
        raise PostingError(f"{server} does not answer like this API: {_detail(content)}") from None
    refused = answer.conflicts + answer.invalid
    if (
        answer.accepted + answer.duplicates + refused != count
        or len(answer.errors) + answer.left_out != refused
    ):
        raise PostingError(f"{server} did not tell of {count} records: {_detail(content)}")
    return answer


class PostingPace:
    """Spaces records out to `rate` a second (None: as fast as it goes). A delay is not made up for."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._ready_at = 0.0

    def batch(self, most: int) -> int:
        """Records to send at once: `most`, or a quarter of a second's worth."""
        return most if self._rate is None else max(1, min(most, int(self._rate / 4)))

    def wait(self, records: int, until: float = float("inf")) -> bool:
        """Sleeps until `records` may be sent; False where that is not before the moment `until`."""
        now = time.monotonic()
        start = max(now, self._ready_at)
        time.sleep(min(start, until) - now if until > now else 0)
        if start >= until:
            return False
        if self._rate is not None:
            self._ready_at = start + records / self._rate
        return True
