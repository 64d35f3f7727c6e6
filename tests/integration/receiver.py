"""A receiver of webhooks: an HTTP server of this process that keeps what came and says what to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook


@dataclass
class Received:
    """A request: its path, headers and body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> object:
        """Return what was sent, if its signature is that of the secret."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """What came so far, and what is answered."""

    url: str
    received: list[Received] = field(default_factory=list)
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    hold: Callable[[], object] = lambda: None
    """Is called before the answer."""

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.received]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Receive at a port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    receiving = Receiver(f"http://127.0.0.1:{server.server_port}/hooks?a=b")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiving.received.append(Received(self.path, headers, body))
            receiving.hold()
            self.send_response(receiving.status)
            for name, value in {"content-length": "0", **receiving.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiving
    finally:
        server.shutdown()
        server.server_close()
