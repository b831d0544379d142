"""The ISP framework's side: a Python service layer that stores rows and sends work by Celery.

This is the code an ISP already has; it knows nothing of Backhaul. The shape (services, webhook
triggers, validation, rollback) is that of the framework's developer guide, and the Celery
application is the plain one: no Backhaul package, no special serializer, no special backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import psycopg
from celery import Celery
from celery.result import AsyncResult


def celery_application(redis_url: str) -> Celery:
    """Celery as the guide's readers configure it: Redis for messages and for results."""
    application = Celery("isp_framework", broker=redis_url, backend=redis_url)
    application.conf.update(
        task_routes={
            "isp_framework.*": {"queue": "provisioning"},
            "payments.*": {"queue": "payments"},
            "sla.*": {"queue": "sla"},
            "webhooks.*": {"queue": "webhooks"},
        },
        broker_connection_retry_on_startup=True,
    )
    return application


class ValidationError(ValueError):
    """Data that must not be stored."""


class WebhookEvent(str, Enum):
    """Events that the API layer itself raises; jobs raise the others."""

    CUSTOMER_CREATED = "customer.created"


class WebhookTriggers:
    """Hands events to the job system, which delivers them."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def customer_created(self, data: dict[str, Any]) -> AsyncResult:
        return self._send(WebhookEvent.CUSTOMER_CREATED, data)

    def _send(self, event: WebhookEvent, data: dict[str, Any]) -> AsyncResult:
        return self._celery.send_task(
            "webhooks.publish", kwargs={"event_type": event.value, "data": data}
        )


@dataclass(frozen=True)
class CustomerCreate:
    """What the API takes for a new customer."""

    name: str
    email: str
    phone: str
    payment_method: str | None = None

    def validate(self) -> None:
        missing = [field for field in ("name", "email", "phone") if not getattr(self, field)]
        if missing:
            raise ValidationError(f"missing required fields: {', '.join(missing)}")
        if not self.phone.startswith("+"):
            raise ValidationError("phone must include the country code")


class CustomerService:
    """Creates customers and tells the world."""

    def __init__(self, database: psycopg.Connection[Any], triggers: WebhookTriggers) -> None:
        self._database = database
        self._triggers = triggers

    def create_customer(self, new: CustomerCreate) -> int:
        """Stores the customer, then raises `customer.created`; returns the id."""
        new.validate()
        try:
            with self._database.transaction():
                row = self._database.execute(
                    "insert into customers (name, email, phone, portal_id, payment_method)"
                    " values (%s, %s, %s, 'P-' || %s, %s) returning id",
                    (new.name, new.email, new.phone, new.email, new.payment_method),
                ).fetchone()
        except psycopg.errors.UniqueViolation as error:
            raise ValidationError("customer with this email already exists") from error
        assert row is not None
        customer_id = int(row[0])
        self._triggers.customer_created(
            {"customer_id": customer_id, "name": new.name, "email": new.email}
        )
        return customer_id


class ProvisioningService:
    """Orders services to be switched on."""

    TASK = "isp_framework.process_service_provisioning"

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def activate(self, service_id: int, **options: Any) -> AsyncResult:
        """By position, as the guide's own code calls it."""
        return self._celery.send_task(self.TASK, args=[service_id], **options)

    def activate_by_keyword(self, service_id: int, **options: Any) -> AsyncResult:
        return self._celery.send_task(self.TASK, kwargs={"service_id": service_id}, **options)


class BillingService:
    """Orders invoices to be collected, now or at the hour of a billing run."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def charge(self, invoice_id: int, **options: Any) -> AsyncResult:
        return self._celery.send_task("payments.charge_invoice", args=[invoice_id], **options)
