"""A customer's webhook receiver: believes nothing it cannot verify, and is down now and then.

    python -m demo.receiver --port 8500 --endpoints endpoints.json

`endpoints.json` is `{"name": "whsec_…"}`; each name is served at `/hooks/<name>`. Every delivery
must pass the official `standardwebhooks` package *and* the developer guide's own `sha256=` check.
The first try of a few deliveries is answered 500, so that retries are seen. `GET /_tally` tells
what arrived.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from demo.http_server import JSONHandler, Server

GUIDE_HEADER = "x-webhook-signature"
FIRST_TRY_FAILURES = 16  # one in so many deliveries is answered 500 on its first try


def verify_webhook_signature(payload: bytes, signature: str, secret: str) -> bool:
    """The check that the ISP framework's developer guide gives to its users."""
    expected = hmac.new(secret.encode("utf-8"), payload, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"sha256={expected}", signature)


@dataclass
class Tally:
    """What one endpoint has seen. All access is under the lock of `Receiver`."""

    verified: Counter[str] = field(default_factory=Counter)  # by webhook-id: 2xx answers
    types: Counter[str] = field(default_factory=Counter)  # distinct ids by event type
    forged: int = 0  # a signature that did not hold
    failed_on_purpose: set[str] = field(default_factory=set)  # ids whose first try got a 500

    def export(self) -> dict[str, Any]:
        return {
            "verified": dict(self.verified),
            "types": dict(self.types),
            "forged": self.forged,
            "failed_on_purpose": len(self.failed_on_purpose),
        }


class Receiver(JSONHandler):
    """The HTTP face."""

    lock = threading.Lock()
    secrets: dict[str, str]
    tallies: dict[str, Tally]

    def do_GET(self) -> None:
        if self.path != "/_tally":
            return self.answer(404, {"error": "no such page"})
        with self.lock:
            report = {name: tally.export() for name, tally in self.tallies.items()}
        self.answer(200, report)

    def do_POST(self) -> None:
        body = self.body()
        if body is None:
            return
        name = self.path.removeprefix("/hooks/")
        secret = self.secrets.get(name)
        if secret is None:
            return self.answer(404, {"error": "no such endpoint"})
        tally = self.tallies[name]
        event = self.verified_event(body, secret)
        if event is None:
            with self.lock:
                tally.forged += 1
            return self.answer(401, {"error": "signature does not verify"})
        identifier = self.headers["webhook-id"]
        with self.lock:
            if self.is_unlucky(name, identifier) and identifier not in tally.failed_on_purpose:
                tally.failed_on_purpose.add(identifier)
                status = 500
            else:
                if identifier not in tally.verified:
                    tally.types[str(event.get("type") or event.get("event"))] += 1
                tally.verified[identifier] += 1
                status = 200
        self.answer(status, {"received": status == 200})

    def verified_event(self, body: bytes, secret: str) -> dict[str, Any] | None:
        """The event, if both signatures hold and the time is recent."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            event = Webhook(secret).verify(body, headers)
        except (WebhookVerificationError, ValueError):
            return None
        if not verify_webhook_signature(body, headers.get(GUIDE_HEADER, ""), secret):
            return None
        return event if isinstance(event, dict) else None

    @staticmethod
    def is_unlucky(name: str, identifier: str) -> bool:
        """The same few deliveries on every run of the same ids, whatever their order."""
        digest = hashlib.sha256(f"{name}/{identifier}".encode()).digest()
        return digest[0] % FIRST_TRY_FAILURES == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--endpoints", type=Path, required=True)
    options = parser.parse_args()
    Receiver.secrets = json.loads(options.endpoints.read_text())
    Receiver.tallies = {name: Tally() for name in Receiver.secrets}
    Server(options.port, Receiver).serve_forever()


if __name__ == "__main__":
    main()
