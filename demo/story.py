"""The demonstration as it is told: a few calls, everything at once, a kill, and the books."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from celery.result import AsyncResult

from demo import seed
from demo.audit import Audit, Orders, Sent
from demo.display import Display
from demo.isp import BillingService, CustomerService, ProvisioningService, WebhookTriggers
from demo.pace import percentile
from demo.seed import Seeded
from demo.world import CONCURRENCY, World

ROUND_TRIPS = 20  # calls by hand whose time is taken
COUNTDOWN = 3.0  # seconds
ANSWER_LIMIT = 10.0  # seconds a caller waits for a result
KILL_AT = 0.25  # share of the invoices that are settled before a worker is killed
KILL_BY = 0.6  # share at which it is killed however little is in flight
BILLING_LEAD = timedelta(seconds=4)  # from the first charge sent to the hour of the billing run
SETTLE_LIMIT = 90.0  # seconds until everything sent must have had its effect
EARLIEST = datetime.min.replace(tzinfo=timezone.utc)
LOOK_INTERVAL = 0.05  # seconds between two looks at the state
SENDS_PER_LOOK = 20  # charges sent between two looks


class Failure(RuntimeError):
    """The story cannot go on."""


@dataclass(frozen=True)
class State:
    """How far the effects have come."""

    settled: int  # invoices
    done: int
    total: int
    text: str


class Story:
    """One run, from empty servers to the final table."""

    def __init__(self, world: World, display: Display, *, customers: int) -> None:
        self.world = world
        self._display = display
        self._customers = customers
        self.orders = Orders()
        self.seeded: Seeded
        self._to_activate = 0  # services
        self._killed = False

    def prepare(self) -> None:
        """Servers, schema, an ISP's data, workers and a scheduler."""
        world, show = self.world, self._display
        show.heading("Preparing")
        with self._timed("private Redis and PostgreSQL, schema migrated"):
            world.start_servers()
        with self._timed("payment gateway and webhook receiver"):
            world.start_counterparts()
        with self._timed(f"{self._customers} customers created by the ISP's Python services"):
            triggers = WebhookTriggers(world.celery)
            customers = CustomerService(world.database, triggers)
            self.orders.customers = seed.customers(customers, self._customers)
        self.seeded = seed.contracts(world.database, self.orders.customers)
        self._to_activate = len(self.seeded.pending_services) - 1  # one is sent too late
        seed.endpoints(world.database, world.endpoints, world.receiver_url)
        show.note(
            f"{len(self.seeded.pending_services)} services to switch on,"
            f" {len(self.seeded.invoices)} invoices, {seed.OUTAGES} outages in"
            f" {self.seeded.month:%B %Y}, {len(world.endpoints)} webhook endpoints;"
            f" {world.backlog()} messages wait for a worker"
        )
        for _ in range(2):
            world.start_worker()
        world.start_scheduler(self.seeded.month)
        started = time.perf_counter()
        answer_of(world.celery.send_task("backhaul.ping"))
        show.step(
            "two workers and a scheduler",
            f"Swift; the first ping came back after {time.perf_counter() - started:.1f} s",
        )

    def call_by_hand(self) -> None:
        """What a developer tries first, and the promises Celery's users rely on."""
        show, orders = self._display, self.orders
        provisioning = ProvisioningService(self.world.celery)
        pending = self.seeded.pending_services
        show.heading("A few calls by hand, from Python Celery")
        first, second = pending.pop(0), pending.pop(0)
        self._get(f"send_task(…, args=[{first}]).get()", first, provisioning.activate)
        self._get(
            f"send_task(…, kwargs={{'service_id': {second}}}).get()",
            second,
            provisioning.activate_by_keyword,
        )
        for _ in range(ROUND_TRIPS):
            _, seconds = self._round_trip(pending.pop(0), provisioning.activate)
            orders.round_trips.append(seconds)
        middle = percentile(orders.round_trips, 0.5) * 1e3
        show.step(
            f"{ROUND_TRIPS} more, one after the other", f"{middle:.1f} ms each, at the median"
        )
        service = pending.pop(0)
        orders.delayed = (
            self._sent(service, provisioning.activate, countdown=COUNTDOWN),
            COUNTDOWN,
        )
        past = datetime.now(timezone.utc) - timedelta(minutes=1)
        orders.expired = self._sent(pending.pop(0), provisioning.activate, expires=past)
        unknown = self.world.celery.send_task("isp_framework.no_such_job", args=[1])
        pickled = self.world.celery.send_task(
            ProvisioningService.TASK, args=[first], serializer="pickle"
        )
        orders.unreadable = [unknown.id, pickled.id]
        show.step("also sent: one for in 3 s, one that has expired, one nobody knows, one pickle")

    def send_everything(self) -> None:
        """All remaining work at once, and kill -9 in the middle of it."""
        show, world, orders = self._display, self.world, self.orders
        provisioning, billing = ProvisioningService(world.celery), BillingService(world.celery)
        services, invoices = list(self.seeded.pending_services), self.seeded.invoices
        show.heading("All at once")
        started = time.perf_counter()
        billing_run = datetime.now(timezone.utc) + BILLING_LEAD
        for number, invoice in enumerate(invoices):
            if services:
                orders.activations.append(self._sent(services.pop(), provisioning.activate))
            orders.charges.append(self._sent(invoice, billing.charge, eta=billing_run))
            if number % SENDS_PER_LOOK == 0:
                self._look()
        sends = len(orders.activations) - ROUND_TRIPS - 2 + len(orders.charges)
        show.step(
            f"{sends} messages sent by one Python process, the charges for {billing_run:%H:%M:%S}",
            f"{sends / (time.perf_counter() - started):,.0f} a second",
        )

    def settle(self) -> None:
        """Waits until every effect is there, or time is up; the audit tells which."""
        deadline = time.monotonic() + SETTLE_LIMIT
        while not self._look():
            if time.monotonic() > deadline:
                text = self._state().text
                self._display.trouble(f"not everything had its effect in {SETTLE_LIMIT:g} s", text)
                return
            time.sleep(LOOK_INTERVAL)
        self._display.step(self._state().text)

    def compare(self) -> bool:
        """The final table; true when everything agrees."""
        self._display.heading("The books")
        audit = Audit(self.world, self.seeded, self.orders)
        audit.run()
        self._display.table(audit.facts)
        wrong = sum(fact.agrees is False for fact in audit.facts)
        self._display.heading(
            "Everything agrees." if audit.agrees else f"{wrong} of {len(audit.facts)} do not agree."
        )
        return audit.agrees

    def _look(self) -> bool:
        """Shows the state, kills a worker when the time has come; true when all is done."""
        state = self._state()
        self._display.progress(state.done, state.total, state.text)
        for child in self.world.fallen():
            raise Failure(f"{child.name} ended with status {child.exit_status}:\n{child.tail()}")
        share = state.settled / len(self.seeded.invoices)
        if not self._killed and share >= KILL_AT:
            # Best while both have their hands full, but by the second mark in any case.
            if share >= KILL_BY or self.world.redis.hlen("unacked") >= CONCURRENCY // 2:
                self._kill_a_worker()
            return False
        return state.done == state.total and self.world.backlog() == 0

    def _kill_a_worker(self) -> None:
        """kill -9 without a warning, and a new worker as any supervisor would start."""
        world = self.world
        victim = world.kill_worker()
        in_flight = world.redis.hlen("unacked")
        world.start_worker()
        self._killed = True
        self._display.blow(
            f"kill -9 of {victim.name}, with {in_flight} messages in flight",
            "what it held comes back when its lease ends; another worker takes its place",
        )

    def _state(self) -> State:
        """Effects so far, of those that must come, as the database and the receiver count them."""
        row = self.world.database.execute(
            "select (select count(*) from provisioning_operations),"
            " (select count(*) from invoices where status = 'paid'),"
            " (select count(distinct invoice_id) from payment_attempts where state = 'declined'),"
            " (select count(*) from sla_breaches), (select count(*) from events),"
            " (select count(*) from events e join webhook_endpoints w"
            "  on e.type = any(w.types) or '*' = any(w.types)),"
            " (select count(*) from webhook_deliveries where state = 'delivered')"
        ).fetchone()
        assert row is not None
        active, paid, declined, breaches, events, expected, delivered = (int(n) for n in row)
        ordered = self._to_activate
        # An event must come for each of these; one not yet written has not yet its webhooks.
        told = len(self.orders.customers) + ordered + paid + breaches
        return State(
            settled=paid + declined,
            done=active + paid + declined + events + delivered + min(breaches, 1),
            total=ordered + len(self.seeded.invoices) + told + expected + 1,
            text=f"services {active}/{ordered} · invoices {paid + declined}"
            f"/{len(self.seeded.invoices)} · breaches {breaches}"
            f" · webhooks {delivered:,}/{expected:,}",
        )

    def _sent(self, subject: int, send: Callable[..., AsyncResult], **options: Any) -> Sent:
        """Sends, and notes when: the time from which it may run."""
        at = max(datetime.now(timezone.utc), options.get("eta", EARLIEST))
        return Sent(subject, send(subject, **options).id, at)

    def _get(self, call: str, service: int, send: Callable[..., AsyncResult]) -> None:
        """One call as a developer makes it, shown with its answer."""
        answer, seconds = self._round_trip(service, send)
        self._display.step(f"{call} → {answer}", f"{seconds * 1e3:.1f} ms")

    def _round_trip(self, service: int, send: Callable[..., AsyncResult]) -> tuple[Any, float]:
        """Sends an activation, waits for its result; returns it and the seconds both took."""
        at, started = datetime.now(timezone.utc), time.perf_counter()
        result = send(service)
        answer = answer_of(result)
        self.orders.activations.append(Sent(service, result.id, at))
        return answer, time.perf_counter() - started

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._display.step(what, f"{time.perf_counter() - started:.1f} s")


def answer_of(result: AsyncResult) -> Any:
    """Waits for a result.

    An interrupted wait is kept alive by its traceback until the servers are gone, and would then
    try for minutes to unsubscribe; without a backend it does not.
    """
    try:
        return result.get(timeout=ANSWER_LIMIT)
    except BaseException:
        result.backend = None
        raise
