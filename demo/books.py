"""What the payment gateway remembers, and how it misbehaves."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Faults:
    """How often the gateway misbehaves, as probabilities, and how long it takes."""

    drop_reply: float = 0.05  # the charge is made, the caller never hears of it
    drop_request: float = 0.02  # cut before anything happens
    conflict: float = 0.02  # 409: this key is in use
    rate_limit: float = 0.02  # 429 with Retry-After
    latency: float = 0.03  # seconds a charge takes on average


@dataclass(frozen=True)
class Charge:
    """Money that moved."""

    id: str
    payment_intent: str
    invoice_id: str
    amount: int
    currency: str
    idempotency_key: str


@dataclass
class Stored:
    """The first answer to an idempotency key; `answer` is None while it is being made."""

    fingerprint: bytes
    answer: tuple[int, bytes] | None = None


@dataclass
class Books:
    """Everything the gateway knows. All access is under `lock`."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    charges: list[Charge] = field(default_factory=list)
    intents: dict[str, dict[str, Any]] = field(default_factory=dict)  # oldest first
    answers: dict[str, Stored] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def export(self) -> dict[str, Any]:
        with self.lock:
            return {
                "charges": [asdict(charge) for charge in self.charges],
                "counts": dict(self.counts),
            }
