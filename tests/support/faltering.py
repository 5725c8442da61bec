"""A server in front of the real one that refuses a request, and loses the answer to the next."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

# What becomes of the first requests, in order: refused unseen, or handed on and then
# answered by "504" as a proxy that waited too long, or not at all.
Faults = list[str]


@contextlib.contextmanager
def faltering(url: str, faults: Faults) -> Iterator[str]:
    """Yields the base URL of a server in front of `url` with which the first requests go wrong."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.hand_on(self.rfile.read(int(self.headers["Content-Length"])))

        def do_GET(self) -> None:
            self.hand_on(b"")

        def hand_on(self, body: bytes) -> None:
            fault = faults.pop(0) if faults else ""
            if fault in ("429", "503"):
                self.answer(int(fault), b'{"detail": "Come again."}', {"Retry-After": "1"})
                return
            headers = {
                name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers
            }
            answer = client.request(self.command, self.path, content=body, headers=headers)
            if fault == "504":
                self.answer(504, b"", {})
            elif fault != "cut":
                self.answer(
                    answer.status_code, answer.content, {"Content-Type": answer.headers["Content-Type"]}
                )

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    with (
        httpx.Client(base_url=url, trust_env=False) as client,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
    ):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
