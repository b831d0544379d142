"""The reckoning: what the database, the gateway's books and the receiver say, side by side.

Nothing here knows what the demonstration intended, except the list of what was sent. Each fact is
read from one source and held against another.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from demo import sla
from demo.display import Fact, money
from demo.pace import busiest_second, finish_times, percentile
from demo.seed import Seeded
from demo.world import World

LATE_LIMIT = 2.0  # seconds a countdown job may start after its time on a busy small machine


@dataclass(frozen=True)
class Sent:
    """One message that Python sent, and from when on it could run, by this machine's clock."""

    subject: int  # id of the service or the invoice
    task_id: str
    at: datetime


@dataclass
class Orders:
    """Everything that Python sent through Celery."""

    activations: list[Sent] = field(default_factory=list)
    charges: list[Sent] = field(default_factory=list)
    customers: list[int] = field(default_factory=list)
    delayed: tuple[Sent, float] | None = None  # an activation, and its countdown
    expired: Sent | None = None  # an activation that was too old before it was sent
    unreadable: list[str] = field(default_factory=list)  # ids that must end in quarantine
    round_trips: list[float] = field(default_factory=list)  # seconds of send + get, one by one

    def ordered_services(self) -> set[int]:
        ordered = {sent.subject for sent in self.activations}
        return ordered | ({self.delayed[0].subject} if self.delayed else set())


class Audit:
    """Collects facts; `facts` is the table and `agrees` the verdict."""

    def __init__(self, world: World, seeded: Seeded, orders: Orders) -> None:
        self._world = world
        self._seeded = seeded
        self._orders = orders
        self._lost: Counter[str] = Counter()
        self._doubled: Counter[str] = Counter()
        self.facts: list[Fact] = []

    @property
    def agrees(self) -> bool:
        return all(fact.agrees is not False for fact in self.facts)

    def run(self) -> None:
        self._services()
        self._promises()
        self._invoices()
        self._service_levels()
        self._events()
        self._webhooks()
        self._shelves()
        self._totals()
        self._pace()

    def _note(self, label: str, value: str, source: str, agrees: bool | None = None) -> None:
        self.facts.append(Fact(label, value, source, agrees))

    def _rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._world.database.execute(query, parameters or None).fetchall()

    def _services(self) -> None:
        ordered = self._orders.ordered_services()
        active = {
            row[0]
            for row in self._rows(
                "select s.id from services s join provisioning_operations o on o.service_id = s.id"
                " where s.status = 'active' and s.applied_version = s.version"
            )
        }
        self._lost["services"] = len(ordered - active)
        self._note(
            "services activated",
            f"{len(active)} of {len(ordered)} ordered",
            "database",
            active == ordered,
        )
        logins = self._rows(
            "select count(*), count(c.username), count(g.username) from services s"
            " left join radius.radcheck c on c.username = s.radius_username"
            "  and c.attribute = 'Cleartext-Password'"
            " left join radius.radusergroup g on g.username = s.radius_username"
            " where s.status = 'active'"
        )[0]
        on = self._rows("select count(*) from services where status = 'active'")[0][0]
        self._note(
            "may log in by RADIUS",
            f"{logins[1]} of {on} active",
            "database",
            logins == (on, on, on),
        )
        self._doubled["activations"] = len(
            self._rows(
                "select service_id from provisioning_operations group by 1 having count(*) > 1"
            )
        )

    def _promises(self) -> None:
        """A countdown is a promise not to run early, an expiry one not to run late."""
        if self._orders.delayed is not None:
            sent, countdown = self._orders.delayed
            (started,) = self._rows(
                "select activated_at from services where id = %s", sent.subject
            )[0]
            waited = (started - sent.at).total_seconds() if started else float("nan")
            self._note(
                f"countdown of {countdown:g} s",
                f"ran after {waited:.2f} s",
                "database",
                countdown <= waited <= countdown + LATE_LIMIT,
            )
        if self._orders.expired is not None:
            (status,) = self._rows(
                "select status from services where id = %s", self._orders.expired.subject
            )[0]
            state = self._world.celery.AsyncResult(self._orders.expired.task_id).state
            self._note(
                "expired before it was sent",
                f"not run: service {status}, result {state}",
                "database, result",
                status == "pending" and state == "REVOKED",
            )

    def _invoices(self) -> None:
        books = self._world.gateway_books()
        charges: list[dict[str, Any]] = books["charges"]
        by_invoice = Counter(int(charge["invoice_id"] or 0) for charge in charges)
        paid = dict(self._rows("select id, amount_minor from invoices where status = 'paid'"))
        declined = {
            row[0]
            for row in self._rows(
                "select a.invoice_id from payment_attempts a join invoices i on i.id = a.invoice_id"
                " where a.state = 'declined' and i.status <> 'paid'"
            )
        }
        sent = {each.subject for each in self._orders.charges}
        self._lost["invoices"] = len(sent - set(paid) - declined)
        self._note(
            "invoices paid, declined",
            f"{len(paid)}, {len(declined)} of {len(sent)} sent",
            "database",
            set(paid) | declined == sent and len(declined) == books["counts"].get("declined", 0),
        )
        charged = sum(charge["amount"] for charge in charges)
        self._note(
            "gateway charges",
            f"{len(charges)}, {money(charged)}",
            "gateway",
            by_invoice.keys() == paid.keys() and charged == sum(paid.values()),
        )
        self._doubled["charges"] = sum(count - 1 for count in by_invoice.values())
        self._ledger(charged)
        counts = books["counts"]
        dropped = counts.get("replies dropped", 0) + counts.get("requests dropped", 0)
        self._note(
            "gateway's faults",
            f"{dropped} cut off, {counts.get('answered 409', 0)} × 409,"
            f" {counts.get('answered 429', 0)} × 429, {counts.get('replayed', 0)} replayed",
            "gateway",
        )

    def _ledger(self, charged: int) -> None:
        total, cleared = self._rows(
            "select coalesce(sum(amount_minor), 0)::bigint,"
            " coalesce(sum(amount_minor) filter (where amount_minor > 0), 0)::bigint from ledger"
        )[0]
        self._note("ledger sum", money(total), "database", total == 0)
        self._note("ledger cleared", money(cleared), "database, gateway", cleared == charged)

    def _service_levels(self) -> None:
        found = sla.findings(self._world.database, self._seeded.month)
        stored = self._rows(
            "select b.service_id, coalesce(sum(c.amount_minor), 0)::bigint from sla_breaches b"
            " left join sla_credits c on c.breach_id = b.id group by b.id"
        )
        outages = self._rows("select count(*) from outages")[0][0]
        self._lost["breaches"] = len({f.service_id for f in found} - {row[0] for row in stored})
        self._doubled["breaches"] = len(stored) - len({row[0] for row in stored})
        self._note(
            "SLA breaches",
            f"{len(stored)} from {outages} outages",
            "database, recomputed in Python",
            sorted(row[0] for row in stored) == sorted(f.service_id for f in found),
        )
        self._note(
            "SLA credits",
            money(sum(row[1] for row in stored)),
            "database, recomputed in Python",
            dict(stored) == {f.service_id: f.credit_minor for f in found},
        )

    def _events(self) -> None:
        """Each thing that happened is one event: none missing, none told twice."""
        found = dict(self._rows("select type, count(*) from events group by type"))
        wanted = {
            "customer.created": len(self._orders.customers),
            "service.activated": self._count("provisioning_operations"),
            "payment.received": self._count("invoices where status = 'paid'"),
            "sla.breached": self._count("sla_breaches"),
        }
        for name, count in wanted.items():
            difference = count - found.get(name, 0)
            self._lost["events"] += max(difference, 0)
            self._doubled["events"] += max(-difference, 0)
        self._note(
            "events",
            f"{sum(found.values()):,} of {len(found)} types",
            "database, against what they tell of",
            found == wanted,
        )

    def _webhooks(self) -> None:
        """Every event at every endpoint that asked for its type, by the receiver's own count."""
        tally = self._world.receiver_tally()
        wanted: dict[str, set[str]] = {name: set() for name in tally}
        for url, event in self._rows(
            "select w.url, e.message_id from events e"
            " join webhook_endpoints w on e.type = any(w.types) or '*' = any(w.types)"
        ):
            wanted[url.rpartition("/")[2]].add(str(event))
        verified = {name: set(seen["verified"]) for name, seen in tally.items()}
        arrived = sum(len(ids) for ids in verified.values())
        expected = sum(len(ids) for ids in wanted.values())
        self._lost["webhooks"] = sum(len(wanted[name] - verified[name]) for name in wanted)
        self._note(
            "webhooks verified",
            f"{arrived:,} of {expected:,}",
            "receiver, database",
            verified == wanted,
        )
        forged = sum(seen["forged"] for seen in tally.values())
        self._note("signatures refused", str(forged), "receiver", forged == 0)
        failed = sum(seen["failed_on_purpose"] for seen in tally.values())
        again = sum(count - 1 for seen in tally.values() for count in seen["verified"].values())
        self._note(
            "receiver's faults",
            f"{failed} × 500 on the first try, {again} delivered again under the same id",
            "receiver",
        )

    def _count(self, what: str) -> int:
        return int(self._rows(f"select count(*) from {what}")[0][0])

    def _shelves(self) -> None:
        dead = self._world.shelf("dead")
        self._note("dead letters", str(len(dead)), "backhaul dead list", not dead)
        quarantined = self._world.shelf("quarantine")
        ids = sorted(str(each.get("id")) for each in quarantined)
        self._note(
            "quarantined",
            f"{len(quarantined)}; {len(self._orders.unreadable)} were sent on purpose",
            "backhaul quarantine list: " + ", ".join(sorted({e["code"] for e in quarantined})),
            ids == sorted(self._orders.unreadable),
        )

    def _totals(self) -> None:
        for name, counted in (("lost", self._lost), ("doubled", self._doubled)):
            wrong = ", ".join(f"{count} {what}" for what, count in counted.items() if count)
            total = sum(counted.values())
            self._note(name, wrong or "0", ", ".join(counted), total == 0)

    def _pace(self) -> None:
        """Speed has nothing to agree with; it is told as it was."""
        burst = [*self._orders.activations, *self._orders.charges]
        finished = finish_times(self._world.redis, [sent.task_id for sent in burst])
        done = [sent for sent in burst if sent.task_id in finished]
        if not done:
            return self._note("pace", "no results to measure", "results")
        told = self._rows(
            "select at from webhook_attempts union all"
            " select fanned_out_at from events where fanned_out_at is not null"
        )
        ends = sorted([*finished.values(), *(row[0] for row in told)])
        seconds = (ends[-1] - min(sent.at for sent in done)).total_seconds()
        self._note(
            "jobs per second",
            f"{len(ends) / seconds:,.0f} over {seconds:.1f} s, kill and retries in it;"
            f" {busiest_second(ends):,} in the busiest second",
            "results, database",
        )
        waits = [(finished[sent.task_id] - sent.at).total_seconds() for sent in done]
        self._note(
            "wait, due to done",
            f"p50 {percentile(waits, 0.5):.2f} s, p99 {percentile(waits, 0.99):.2f} s",
            "results of activations and charges, under full load",
        )
        trips = self._orders.round_trips
        if trips:
            self._note(
                "wait, send and get",
                f"p50 {percentile(trips, 0.5) * 1e3:.1f} ms,"
                f" p99 {percentile(trips, 0.99) * 1e3:.1f} ms",
                "Python client, one call at a time",
            )
