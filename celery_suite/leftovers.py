"""Keys that stay: each has an owner, or a time to live, or is a leak."""

from __future__ import annotations

import re

import redis

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

# Who keeps each key for as long as there is a fleet; docs/redis-keys.md describes ours.
OWNERS = {
    r"celery(\x06\x16[369])?": "a queue",
    r"_kombu\.binding(_permanent)?\.[\w.]+": "kombu: what exchanges feed",
    r"_kombu\.binding_deadlines": "kombu: when bindings of expiring queues end",
    r"unacked|unacked_index|unacked_mutex": "kombu: messages in flight",
    r"backhaul:(delayed|delayed:messages|workers|overdue|presence|ticks|fence|cancelled|counters)":
        "Backhaul: kept for the whole fleet",
    r"backhaul:(revoked|revoked_stamps)": "Backhaul: bounded by number and age",
    r"backhaul:(chords|chords:entries|staging)": "Backhaul: what is half done and looked after",
    r"backhaul:(dead|quarantine)(:entries)?": "Backhaul: bounded by number and age",
    # What follows is written by the tests, or by tasks at their wish.
    r"redis-(echo|count|group-ids)|echo_[a-z_]+|Done": "the tests: their side channel",
    rf"{_UUID}": "the tests: errbacks count under the failed task's id",
    rf"test[-_\w:]*({_UUID})?": "the tests: their side channel",
}


def unowned(client: redis.Redis) -> list[str]:
    """The keys that have neither an owner nor a time to live, sorted."""
    found = []
    for raw in client.scan_iter(count=1000):
        key = raw.decode("utf-8", "replace")
        if client.ttl(raw) != -1:
            continue
        if not any(re.fullmatch(pattern, key) for pattern in OWNERS):
            found.append(f"{key!r} ({client.type(raw).decode()})")
    return sorted(found)
