"""An ISP to work on: customers, plans, services, invoices, outages, contracts, webhook endpoints.

The same numbers give the same data. Money is in minor units; nothing here is a result.
"""

from __future__ import annotations

import random
import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

import psycopg

from demo.gateway import DECLINES
from demo.isp import CustomerCreate, CustomerService
from demo.sla import month_in

GOOD_CARD = "pm_card_visa"
DECLINED_EVERY = 25  # one customer in so many has a card that will be declined
OUTAGES = 50
ESTABLISHED = 60  # services switched on long ago, which had time for outages
REPORTING_DELAY = timedelta(hours=36)  # how far into a month the month before is still looked at
ZONES = ("UTC", "America/New_York")  # of the contracts below

GIVEN = ("Ada", "Bela", "Chidi", "Dana", "Emeka", "Femi", "Grace", "Hana", "Ivo", "Jun", "Kofi")
FAMILY = ("Abara", "Berg", "Costa", "Diallo", "Eze", "Fischer", "Garcia", "Haddad", "Ito", "Jansen")
PLANS = (  # name, down and up in Mbit/s, monthly charge
    ("Fiber 100", 100, 20, 2999),
    ("Fiber 300", 300, 60, 3999),
    ("Fiber 1000", 1000, 200, 5999),
    ("Dedicated 500", 500, 500, 30000),
)
ENDPOINTS = (  # name, event types
    ("crm", ("customer.created", "service.activated")),
    ("billing", ("payment.received", "sla.breached")),
    ("audit", ("*",)),
)


@dataclass(frozen=True)
class Seeded:
    """What the demonstration works with afterwards."""

    pending_services: list[int]
    invoices: list[int]
    month: date  # the month that the SLA sweep looks at


@dataclass(frozen=True)
class Endpoint:
    """A customer's webhook receiver, as agreed with the customer."""

    name: str
    types: tuple[str, ...]
    secret: str


def new_endpoints() -> list[Endpoint]:
    """Three endpoints with fresh Standard Webhooks secrets."""
    return [
        Endpoint(name, types, "whsec_" + b64encode(secrets.token_bytes(32)).decode())
        for name, types in ENDPOINTS
    ]


def reported_month(now: datetime) -> date:
    """The month whose outages are known: this one, or the one before in its first days."""
    return (now - REPORTING_DELAY).date().replace(day=1)


def customers(service: CustomerService, count: int) -> list[int]:
    """Creates customers through the ISP's own service layer, one `customer.created` each."""
    created = []
    declining = sorted(DECLINES)
    for number in range(1, count + 1):
        name = f"{GIVEN[number % len(GIVEN)]} {FAMILY[number // len(GIVEN) % len(FAMILY)]}"
        card = GOOD_CARD
        if number % DECLINED_EVERY == 0:
            card = declining[number // DECLINED_EVERY % len(declining)]
        created.append(
            service.create_customer(
                CustomerCreate(name, f"customer{number}@example.net", f"+1555{number:07}", card)
            )
        )
    return created


def contracts(database: psycopg.Connection[Any], customer_ids: Sequence[int]) -> Seeded:
    """Everything else in one transaction."""
    dice = random.Random(20)
    now = datetime.now(timezone.utc).replace(microsecond=0)
    month = reported_month(now)
    with database.transaction(), database.cursor() as cursor:
        plans = insert_plans(cursor)
        policies = insert_policies(cursor)
        sites = ids(
            cursor,
            "insert into sites (name) values (%s) returning id",
            [(f"Site {letter}",) for letter in "ABCD"],
        )
        pending = insert_pending_services(cursor, customer_ids, plans, sites, dice)
        established = insert_established_services(
            cursor, customer_ids[:ESTABLISHED], plans, sites, policies, now
        )
        invoices = ids(
            cursor,
            "insert into invoices (customer_id, period, amount_minor, currency, due_at)"
            " values (%s, %s, %s, 'USD', %s) returning id",
            [
                (customer, month, dice.choice(PLANS)[3] + dice.randrange(0, 500), now)
                for customer in customer_ids
            ],
        )
        insert_outages(cursor, established, sites, month, now, dice)
    return Seeded(pending_services=pending, invoices=invoices, month=month)


def endpoints(database: psycopg.Connection[Any], agreed: Sequence[Endpoint], base_url: str) -> None:
    """Registers the webhook endpoints."""
    with database.cursor() as cursor:
        cursor.executemany(
            "insert into webhook_endpoints (url, types, secrets) values (%s, %s, %s)",
            [(f"{base_url}/hooks/{each.name}", list(each.types), [each.secret]) for each in agreed],
        )


def ids(cursor: psycopg.Cursor[Any], statement: str, rows: Sequence[Sequence[Any]]) -> list[int]:
    """Runs an `insert … returning id` for each row, and gives the ids in the same order."""
    cursor.executemany(statement, rows, returning=True)
    found = []
    while True:
        row = cursor.fetchone()
        assert row is not None
        found.append(int(row[0]))
        if not cursor.nextset():
            return found


def insert_plans(cursor: psycopg.Cursor[Any]) -> dict[int, int]:
    """Plan id → monthly charge, in the order of `PLANS`, with their RADIUS groups."""
    found = ids(
        cursor,
        "insert into plans (name, radius_group, down_bps, up_bps, mrc_minor)"
        " values (%s, %s, %s, %s, %s) returning id",
        [
            (name, group_of(name), down * 1_000_000, up * 1_000_000, charge)
            for name, down, up, charge in PLANS
        ],
    )
    cursor.executemany(
        "insert into radius.radgroupreply (groupname, attribute, op, value)"
        " values (%s, 'Mikrotik-Rate-Limit', ':=', %s)",
        [(group_of(name), f"{up}M/{down}M") for name, down, up, _ in PLANS],
    )
    return {plan: charge for plan, (_, _, _, charge) in zip(found, PLANS, strict=True)}


def group_of(plan_name: str) -> str:
    return "plan:" + plan_name.lower().replace(" ", "-")


def insert_policies(cursor: psycopg.Cursor[Any]) -> list[int]:
    """One contract for each way of owing: by uptime, by time down, by started block."""
    uptime, duration, block = ids(
        cursor,
        "insert into sla_policies (name, target_ppm, basis, block_s, block_credit_days, tz)"
        " values (%s, %s, %s, %s, %s, %s) returning id",
        [
            ("Business 99.9 %", 999_000, "uptime", None, None, ZONES[0]),
            ("Home, by time down", 999_900, "duration", None, None, ZONES[0]),
            ("Dedicated 99.99 %", 999_900, "block", 14_400, 1, ZONES[1]),
        ],
    )
    cursor.executemany(
        "insert into sla_bands (policy_id, lo, hi, credit_bp) values (%s, %s, %s, %s)",
        [
            (uptime, 0, 950_000, 10_000),
            (uptime, 950_000, 990_000, 2_500),
            (uptime, 990_000, 999_000, 1_000),
            (duration, 300, 3_600, 500),
            (duration, 3_600, 10_800, 1_500),
            (duration, 10_800, 21_600, 3_500),
            (duration, 21_600, 1_000_000_000, 5_000),
        ],
    )
    return [uptime, duration, block]


def insert_pending_services(
    cursor: psycopg.Cursor[Any],
    customer_ids: Sequence[int],
    plans: dict[int, int],
    sites: Sequence[int],
    dice: random.Random,
) -> list[int]:
    """One sold but not yet switched on service for each customer."""
    rows = []
    for number, customer in enumerate(customer_ids):
        plan = dice.choice(list(plans)[:3])
        address = f"100.64.{number // 250}.{number % 250 + 1}"
        rows.append((customer, plan, dice.choice(sites), f"new-{customer}", plans[plan], address))
    return ids(
        cursor,
        "insert into services (customer_id, plan_id, site_id, radius_username, mrc_minor,"
        " framed_ip, radius_password) values (%s, %s, %s, %s, %s, %s, md5(random()::text))"
        " returning id",
        rows,
    )


def insert_established_services(
    cursor: psycopg.Cursor[Any],
    customer_ids: Sequence[int],
    plans: dict[int, int],
    sites: Sequence[int],
    policies: Sequence[int],
    now: datetime,
) -> list[int]:
    """Services under contract, switched on long before the month that is looked at."""
    since = now - timedelta(days=400)
    rows = []
    for number, customer in enumerate(customer_ids):
        policy = number % len(policies)
        plan = list(plans)[policy + 1]
        site = sites[number % len(sites)]
        user = f"old-{customer}"
        rows.append((customer, plan, site, user, plans[plan], policies[policy], since))
    found = ids(
        cursor,
        "insert into services (customer_id, plan_id, site_id, radius_username, mrc_minor,"
        " sla_policy_id, activated_at, radius_password, status, desired_state, version,"
        " applied_version) values (%s, %s, %s, %s, %s, %s, %s, md5(random()::text),"
        " 'active', 'active', 1, 1) returning id",
        rows,
    )
    cursor.execute(
        "insert into radius.radcheck (username, attribute, op, value)"
        " select radius_username, 'Cleartext-Password', ':=', radius_password"
        " from services where status = 'active'"
    )
    cursor.execute(
        "insert into radius.radusergroup (username, groupname, priority)"
        " select s.radius_username, p.radius_group, 10"
        " from services s join plans p on p.id = s.plan_id where s.status = 'active'"
    )
    return found


def insert_outages(
    cursor: psycopg.Cursor[Any],
    services: Sequence[int],
    sites: Sequence[int],
    month: date,
    now: datetime,
    dice: random.Random,
) -> None:
    """Fifty outages: short and long, overlapping, under announced and unannounced maintenance."""
    starts, ends = zip(*(month_in(zone, month) for zone in ZONES), strict=True)
    opening = datetime.fromtimestamp(max(starts), timezone.utc)
    closing = min(datetime.fromtimestamp(min(ends), timezone.utc), now) - timedelta(hours=1)
    room = int((closing - opening).total_seconds())
    works = [  # offset, length and notice in hours; by site
        (sites[0], 8, 3, 72),
        (sites[1], 10, 3, 2),  # announced too late: it counts as downtime
    ]
    cursor.executemany(
        "insert into maintenance (site_id, during, notified_at) values (%s, %s, %s)",
        [
            (site, span(opening, offset * 3600, length * 3600), opening + hours(offset - notice))
            for site, offset, length, notice in works
        ],
    )
    outages: list[tuple[int, int, int]] = []  # service, offset and length in seconds
    for service in services[0:8]:  # sites A to D in turn: two lie wholly in maintenance that counts
        outages.append((service, 8 * 3600 + 600, 2 * 3600))
    for service in services[8:16]:  # two tickets about one trouble: 40 minutes, not 50
        outages += [(service, 5 * 3600, 1500), (service, 5 * 3600 + 900, 1500)]
    for service in services[16:24]:  # a minute or two: within most promises
        outages.append((service, dice.randrange(room - 600), dice.randrange(20, 250)))
    for service in services[24:36]:  # long ones
        length = dice.randrange(2400, 10 * 3600)
        outages.append((service, dice.randrange(room - length), length))
    while len(outages) < OUTAGES:
        length = dice.choice((45, 290, 300, 301, 2700, 5400))
        outages.append((dice.choice(services), dice.randrange(room - length), length))
    cursor.executemany(
        "insert into outages (service_id, during, cause, recorded_at) values (%s, %s, %s, %s)",
        [
            (
                service,
                span(opening, offset, length),
                dice.choice(("network", "power", "fiber cut")),
                opening + timedelta(seconds=offset + length),
            )
            for service, offset, length in outages
        ],
    )


def hours(count: int) -> timedelta:
    return timedelta(hours=count)


def span(origin: datetime, offset: int, length: int) -> str:
    """A half-open tstzrange literal; both numbers in seconds."""
    start = origin + timedelta(seconds=offset)
    return f"[{start.isoformat()},{(start + timedelta(seconds=length)).isoformat()})"
