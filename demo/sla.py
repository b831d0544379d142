"""Service levels worked out a second time, in Python, from the outages alone.

The worker computes breaches and credits set-based in PostgreSQL. This module does the same with
intervals of whole seconds and exact fractions, and shares no code with it: where both agree, it is
not because both made the same mistake in the same line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import namedtuple_row

MAINTENANCE_NOTICE = timedelta(hours=24)

Interval = tuple[int, int]  # seconds since 1970, half open


@dataclass(frozen=True)
class Finding:
    """A service that missed its target in the period."""

    service_id: int
    down_s: int
    credit_minor: int


def month_in(zone: str, month: date) -> Interval:
    """The calendar month in the contract's own zone: 719 to 745 hours, by daylight saving."""
    first = month.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    start, end = (
        datetime(day.year, day.month, 1, tzinfo=ZoneInfo(zone)) for day in (first, following)
    )
    return int(start.timestamp()), int(end.timestamp())


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Overlapping and touching intervals become one."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def without(intervals: Sequence[Interval], holes: Sequence[Interval]) -> list[Interval]:
    """`intervals` minus `holes`; both are unions."""
    rest = list(intervals)
    for hole_start, hole_end in holes:
        cut: list[Interval] = []
        for start, end in rest:
            cut.append((start, min(end, hole_start)))
            cut.append((max(start, hole_end), end))
        rest = [(start, end) for start, end in cut if start < end]
    return rest


def clipped(intervals: Iterable[Interval], window: Interval) -> list[Interval]:
    return [(max(start, window[0]), min(end, window[1])) for start, end in intervals]


def length(intervals: Iterable[Interval]) -> int:
    return sum(end - start for start, end in intervals)


def half_up(value: Fraction) -> int:
    return int((value * 2 + 1) // 2)


def findings(database: psycopg.Connection[Any], month: date) -> list[Finding]:
    """Every breach of `month`, recomputed from outages, maintenance and contracts."""
    cursor: Any = database.cursor(row_factory=namedtuple_row)
    policies = {row.id: row for row in cursor.execute("select * from sla_policies").fetchall()}
    bands: dict[int, list[Any]] = {}
    for row in cursor.execute("select * from sla_bands order by lo").fetchall():
        bands.setdefault(row.policy_id, []).append(row)
    outages: dict[int, list[Interval]] = {}
    for row in cursor.execute(
        "select service_id, extract(epoch from lower(during))::bigint as since,"
        " extract(epoch from coalesce(upper(during), now()))::bigint as until from outages"
    ).fetchall():
        outages.setdefault(row.service_id, []).append((row.since, row.until))
    announced: dict[int, list[Interval]] = {}
    for row in cursor.execute(
        "select site_id, extract(epoch from lower(during))::bigint as since,"
        " extract(epoch from upper(during))::bigint as until from maintenance"
        " where notified_at <= lower(during) - %s",
        (MAINTENANCE_NOTICE,),
    ).fetchall():
        announced.setdefault(row.site_id, []).append((row.since, row.until))
    found = []
    for service in cursor.execute(
        "select * from services where sla_policy_id is not null and activated_at is not null"
        " order by id"
    ).fetchall():
        policy = policies[service.sla_policy_id]
        window = life_within(month_in(policy.tz, month), service)
        down = union(clipped(outages.get(service.id, []), window))
        if policy.exclude_maintenance:
            down = without(down, union(announced.get(service.site_id, [])))
        finding = judged(service, policy, bands.get(policy.id, []), window, length(down))
        if finding is not None:
            found.append(finding)
    return found


def life_within(period: Interval, service: Any) -> Interval:
    """The part of the period in which the service was switched on."""
    start = max(period[0], int(service.activated_at.timestamp()))
    ended = service.terminated_at or datetime.max.replace(tzinfo=timezone.utc)
    return start, min(period[1], int(ended.timestamp()))


def judged(
    service: Any, policy: Any, bands: Sequence[Any], window: Interval, down_exact: int
) -> Finding | None:
    """Whether the target was missed, and what is owed for it."""
    total = window[1] - window[0]
    if total <= 0 or down_exact == 0:
        return None
    down = half_up(Fraction(down_exact, policy.round_s)) * policy.round_s
    missed = down * 1_000_000 > total * (1_000_000 - policy.target_ppm)
    if policy.basis == "block":
        allowance = -(-total * (1_000_000 - policy.target_ppm) // 1_000_000)
        blocks = -(-max(down - allowance, 0) // policy.block_s) if missed else 0
        share = Fraction(blocks * policy.block_credit_days, 30)
    else:
        uptime = Fraction((total - down) * 1_000_000, total)
        measure = uptime if policy.basis == "uptime" else Fraction(down)
        matching = [band.credit_bp for band in bands if band.lo <= measure < band.hi]
        share = Fraction(matching[0], 10_000) if matching else Fraction(0)
        if policy.basis == "duration":
            missed = share > 0
        elif not missed:
            share = Fraction(0)
    if not missed:
        return None
    owed = half_up(service.mrc_minor * share)
    cap = service.mrc_minor * policy.cap_bp // 10_000
    return Finding(service_id=service.id, down_s=down, credit_minor=min(owed, cap))
