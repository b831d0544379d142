"""A payment gateway shaped like Stripe: form-encoded PaymentIntents, idempotency keys, own books.

    python -m demo.gateway --port 8400 --key sk_test_demo

It charges, declines, and misbehaves as networks do: it drops answers after the money has moved,
drops requests before, and answers 409 and 429 now and then. Idempotency follows
https://docs.stripe.com/api/idempotent_requests: the first answer is stored under the key and
replayed, other parameters under the same key are an error, and 401, 409, 429 and failed validation
are not stored. `GET /_books` is what really happened, for the audit at the end.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import secrets
import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from demo.books import Books, Charge, Faults, Stored
from demo.http_server import JSONHandler, Server

PAGE_LIMIT = 100  # PaymentIntents per page, as at Stripe
KEY_LIMIT = 255  # characters of an idempotency key

# Test payment methods and what a card in that state answers (docs.stripe.com/testing).
DECLINES = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
}


class Refused(Exception):
    """An answer other than 200, in Stripe's error form."""

    def __init__(self, status: int, kind: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.document = {"error": {"type": kind, "message": message, **details}}


class Gateway(JSONHandler):
    """The HTTP face."""

    books: Books
    faults: Faults
    key: str
    dice: random.Random

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        if where.path == "/_books":
            return self.answer(200, self.books.export())
        try:
            self.authenticate()
            if where.path == "/v1/payment_intents":
                return self.answer(200, self.page(parse_qs(where.query)))
            intent = self.books.intents.get(where.path.removeprefix("/v1/payment_intents/"))
            if intent is None:
                raise Refused(404, "invalid_request_error", "no such PaymentIntent")
            self.answer(200, intent)
        except Refused as refusal:
            self.answer(refusal.status, refusal.document)

    def do_POST(self) -> None:
        body = self.body()
        if body is None:
            return
        self.books.count("requests")
        try:
            self.authenticate()
            if self.path != "/v1/payment_intents":
                raise Refused(404, "invalid_request_error", "no such resource")
            if self.misbehaves_before():
                return
            status, payload, replayed = self.charge_once(body)
            if self.dice.random() < self.faults.drop_reply:
                self.books.count("replies dropped")
                return self.hang_up()
            self.answer(status, payload, {"Idempotent-Replayed": "true"} if replayed else None)
        except Refused as refusal:
            self.answer(refusal.status, refusal.document)

    def authenticate(self) -> None:
        """Stripe's way: the key as the user name of Basic, or as a bearer token."""
        scheme, _, credential = (self.headers.get("Authorization") or "").partition(" ")
        if scheme.lower() == "basic":
            try:
                credential = base64.b64decode(credential, validate=True).decode().partition(":")[0]
            except ValueError:
                credential = ""
        if not secrets.compare_digest(credential.encode(), self.key.encode()):
            raise Refused(401, "invalid_request_error", "Invalid API key provided")

    def misbehaves_before(self) -> bool:
        """Faults that strike before the idempotency layer: nothing happened, nothing is stored."""
        throw = self.dice.random()
        for name, chance in (
            ("requests dropped", self.faults.drop_request),
            ("answered 409", self.faults.conflict),
            ("answered 429", self.faults.rate_limit),
        ):
            if throw < chance:
                self.books.count(name)
                break
            throw -= chance
        else:
            return False
        if name == "requests dropped":
            self.hang_up()
        elif name == "answered 409":
            self.answer_conflict()
        else:
            error = {"type": "invalid_request_error", "code": "rate_limit", "message": "Slow down"}
            headers = {"Retry-After": "1", "Stripe-Should-Retry": "true"}
            self.answer(429, {"error": error}, headers)
        return True

    def answer_conflict(self) -> None:
        error = {
            "type": "idempotency_error",
            "code": "idempotency_key_in_use",
            "message": "Another request with this key is in progress",
        }
        self.answer(409, {"error": error}, {"Stripe-Should-Retry": "true"})

    def charge_once(self, body: bytes) -> tuple[int, bytes, bool]:
        """Runs the charge, or replays what the key got before: status, body, replayed."""
        key = self.headers.get("Idempotency-Key") or f"none-{secrets.token_hex(16)}"
        if len(key) > KEY_LIMIT:
            raise Refused(400, "idempotency_error", "Idempotency key too long")
        with self.books.lock:
            stored = self.books.answers.get(key)
            if stored is None:
                stored = self.books.answers[key] = Stored(fingerprint=body)
                fresh = True
            else:
                fresh = False
        if not fresh:
            if stored.fingerprint != body:
                self.books.count("key reused with other parameters")
                raise Refused(
                    400,
                    "idempotency_error",
                    "Keys can only be used with the parameters they were first used with",
                )
            if stored.answer is None:
                self.books.count("key in use")
                raise Refused(
                    409,
                    "idempotency_error",
                    "Another request with this key is in progress",
                    code="idempotency_key_in_use",
                )
            self.books.count("replayed")
            return (*stored.answer, True)
        try:
            status, document = self.charge(key, dict(parse_qsl(body.decode())))
        except BaseException:  # failed validation is not stored: the key is free again
            with self.books.lock:
                del self.books.answers[key]
            raise
        stored.answer = (status, json.dumps(document).encode())
        return (*stored.answer, False)

    def charge(self, key: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Creates and confirms one PaymentIntent."""
        amount, currency, method = self.validated(form)
        time.sleep(self.dice.uniform(0.2, 1.8) * self.faults.latency)
        intent: dict[str, Any] = {
            "id": f"pi_{secrets.token_hex(12)}",
            "object": "payment_intent",
            "amount": amount,
            "currency": currency,
            "created": int(time.time()),
            "customer": form.get("customer"),
            "latest_charge": None,
            "livemode": False,
            "metadata": {
                name[len("metadata[") : -1]: value
                for name, value in form.items()
                if name.startswith("metadata[") and name.endswith("]")
            },
            "payment_method": method,
            "status": "requires_payment_method",
        }
        decline = DECLINES.get(method)
        if decline is not None:
            code, reason = decline
            intent["last_payment_error"] = {
                "type": "card_error",
                "code": code,
                "decline_code": reason,
                "message": "Your card was declined.",
            }
        charge_id = f"ch_{secrets.token_hex(12)}"
        with self.books.lock:
            self.books.intents[intent["id"]] = intent
            if decline is not None:
                self.books.counts["declined"] += 1
            else:
                intent |= {
                    "status": "succeeded",
                    "latest_charge": charge_id,
                    "amount_received": amount,
                }
                self.books.charges.append(
                    Charge(
                        id=charge_id,
                        payment_intent=intent["id"],
                        invoice_id=intent["metadata"].get("invoice_id", ""),
                        amount=amount,
                        currency=currency.upper(),
                        idempotency_key=key,
                    )
                )
        if decline is None:
            return 200, intent
        return 402, {
            "error": {**intent["last_payment_error"], "charge": charge_id, "payment_intent": intent}
        }

    @staticmethod
    def validated(form: dict[str, str]) -> tuple[int, str, str]:
        """Amount in minor units, currency, payment method."""
        amount = form.get("amount", "")
        if not amount.isascii() or not amount.isdigit() or int(amount) == 0:
            raise Refused(400, "invalid_request_error", "Invalid positive integer", param="amount")
        currency = form.get("currency", "")
        if len(currency) != 3 or not currency.isalpha():
            raise Refused(400, "invalid_request_error", "Invalid currency", param="currency")
        method = form.get("payment_method", "")
        if not method.startswith("pm_"):
            raise Refused(
                400, "invalid_request_error", "No such PaymentMethod", param="payment_method"
            )
        if form.get("confirm") != "true":
            raise Refused(400, "invalid_request_error", "confirm must be true", param="confirm")
        return int(amount), currency.lower(), method

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """Newest first, with the filters that a reconciliation needs."""

        def last(name: str) -> str | None:
            return query.get(name, [None])[-1]

        with self.books.lock:
            found = list(reversed(self.books.intents.values()))
        if customer := last("customer"):
            found = [intent for intent in found if intent["customer"] == customer]
        if since := last("created[gte]"):
            found = [intent for intent in found if intent["created"] >= int(since)]
        if after := last("starting_after"):
            ids = [intent["id"] for intent in found]
            found = found[ids.index(after) + 1 :] if after in ids else []
        size = min(int(last("limit") or 10), PAGE_LIMIT)
        return {
            "object": "list",
            "url": "/v1/payment_intents",
            "has_more": len(found) > size,
            "data": found[:size],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", required=True, help="the API key that callers must send")
    parser.add_argument("--seed", type=int, default=1, help="of the faults")
    parser.add_argument("--calm", action="store_true", help="no faults at all")
    options = parser.parse_args()
    Gateway.books = Books()
    Gateway.faults = Faults(0, 0, 0, 0) if options.calm else Faults()
    Gateway.key = options.key
    Gateway.dice = random.Random(options.seed)
    Server(options.port, Gateway).serve_forever()


if __name__ == "__main__":
    main()
