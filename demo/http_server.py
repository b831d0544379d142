"""A small HTTP/1.1 server for the demo's two counterparts: one thread per connection, JSON out."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BODY_LIMIT = 1 << 20  # bytes; neither counterpart has a reason to read more


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1 only."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, handler: type[JSONHandler]) -> None:
        super().__init__(("127.0.0.1", port), handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is part of the demonstration, not an error."""


class JSONHandler(BaseHTTPRequestHandler):
    """Keep-alive, no log, bounded bodies."""

    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds an idle connection is kept

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *arguments: object) -> None:
        """Silence: the demo's own display shows what matters."""

    def body(self) -> bytes | None:
        """The whole body, or None after answering 413 to one that is too long."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_LIMIT:
            self.close_connection = True
            self.answer(413, {"error": {"message": "body too large"}})
            return None
        return self.rfile.read(length)

    def answer(self, status: int, document: Any, headers: Mapping[str, str] | None = None) -> None:
        """Sends `document` as JSON in one write."""
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def hang_up(self) -> None:
        """Cuts the connection without an answer."""
        self.close_connection = True
        with contextlib.suppress(OSError):  # the client was faster
            self.connection.shutdown(socket.SHUT_RDWR)
