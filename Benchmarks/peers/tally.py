"""How many no-ops this process ran: proof that an empty queue was not emptied otherwise.

Counted in memory, which costs nothing that could be measured, and written when the process ends.
"""

from __future__ import annotations

import itertools
import os

import redis

_ran = itertools.count()


def count() -> None:
    next(_ran)  # one step for the interpreter: threads cannot lose any


def report() -> None:
    """Adds this process's count to the total."""
    with redis.Redis.from_url(os.environ["BENCH_REDIS_URL"]) as client:
        client.incrby("bench:ran", next(_ran))
