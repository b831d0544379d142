"""A receiver that believes no webhook: takes a few from a contender and checks every signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from Benchmarks.contenders import output_of
from Benchmarks.rounds import RoundFailure

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
_DELIVERIES = 20
_TOLERANCE = 300  # seconds a timestamp may be off


def check_delivery(command: Callable[[str, int], list[str]], body: Path) -> None:
    """Has a contender deliver, and raises `RoundFailure` unless all was as it must be."""
    expected = body.read_bytes()
    problems: list[str] = []
    ids: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            received = self.rfile.read(int(self.headers["Content-Length"]))
            problems.extend(problems_of(self.headers, received, expected))
            ids.append(self.headers["webhook-id"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        output_of(command(f"http://127.0.0.1:{server.server_port}/hooks/billing", _DELIVERIES))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    if problems or len(set(ids)) < _DELIVERIES:
        raise RoundFailure(
            f"{command('', 0)[0]}: {len(set(ids))} webhooks, {problems[:3] or 'too few'}"
        )


def problems_of(headers: Message, body: bytes, expected: bytes) -> list[str]:
    """What is wrong with one request."""
    stamp = headers["webhook-timestamp"]
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{stamp}.".encode() + body
    standard = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    guide = hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()
    checks = {
        "body": body == expected,
        "timestamp": abs(int(stamp) - time.time()) <= _TOLERANCE,
        "webhook-signature": headers["webhook-signature"] == f"v1,{standard}",
        "X-Webhook-Signature": headers["X-Webhook-Signature"] == f"sha256={guide}",
        "Content-Type": headers["Content-Type"] == "application/json",
        "User-Agent": headers["User-Agent"] == "backhaul-webhooks",
        "no other header": len(headers.keys()) == 9,
    }
    return [name for name, holds in checks.items() if not holds]
