"""Dramatiq: one actor that does nothing, on the Redis broker with its default middleware.

    python -m Benchmarks.peers.dramatiq_app          sends it once, to be captured
"""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from Benchmarks.peers import tally


class Tallied(dramatiq.Middleware):
    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        tally.report()


broker = RedisBroker(url=os.environ["BENCH_REDIS_URL"])
broker.add_middleware(Tallied())
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench")
def noop() -> None:
    tally.count()


if __name__ == "__main__":
    noop.send()
