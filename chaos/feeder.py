"""Producers: they keep the queue filled, and hold on to a job until Redis has acknowledged it.

What was not acknowledged is sent again under the same id, as a careful producer does; so a message
may arrive twice, but a job that was accepted is one job.
"""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections.abc import Callable

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from chaos.books import Books
from chaos.ground import LISTS, QUEUE, Ground, redis_client
from chaos.messages import EFFECT, Effect, Mixture, Press
from demo.children import neutral_environment

_BATCH = 40  # messages drawn at a time
_PAUSE = 0.02  # seconds between two looks at a full queue
_RETRY = 0.1  # seconds until a producer tries again


class Feeder(threading.Thread):
    """Sends jobs until told to stop: most as copies of Celery's bytes, some by Celery itself."""

    def __init__(
        self,
        ground: Ground,
        books: Books,
        rng: random.Random,
        mixture: Mixture,
        *,
        backlog: int,
        most: int,
        seconds: float,
        celery_share: float = 0.05,
        command_each: float = 0,
    ) -> None:
        """`backlog`: messages kept waiting; `most`: jobs sent in `seconds`, a pace."""
        super().__init__(name="feeder", daemon=True)
        self._books, self._rng, self._mixture = books, rng, mixture
        self._ground, self._backlog = ground, backlog
        self._most, self._seconds = most, seconds
        self._celery_share, self._command_each = celery_share, command_each
        self._halt = threading.Event()
        self._client = redis_client(ground.sandbox.redis_url)
        self._press = Press(ground.sandbox.redis_url)
        self._celery = Celery("producer", broker=ground.sandbox.redis_url)
        self._celery.conf.update(task_default_queue=QUEUE, broker_connection_max_retries=1)
        self.retried = 0  # sends that had to be repeated
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self._feed()
        except BaseException as failure:  # told by `finish`, in the main thread
            self.failure = failure

    def finish(self) -> None:
        """Stops; whatever it was sending is accepted first."""
        self._halt.set()
        self.join()
        self._client.close()
        self._celery.close()
        if self.failure is not None:
            raise self.failure

    def _feed(self) -> None:
        started, last_command = time.monotonic(), time.monotonic()
        while not self._halt.is_set():
            elapsed = time.monotonic() - started
            allowed = self._backlog + self._most * elapsed / self._seconds
            if self._books.accepted_count >= allowed or self._waiting() >= self._backlog:
                self._halt.wait(_PAUSE)
                continue
            self._send_batch()
            if self._command_each and time.monotonic() - last_command > self._command_each:
                last_command = time.monotonic()
                self._until_accepted(self._draw(), self._by_command)

    def _waiting(self) -> int:
        try:
            pipeline = self._client.pipeline(transaction=False)
            for name in LISTS:
                pipeline.llen(name)
            return sum(pipeline.execute())
        except redis.RedisError:
            return 0

    def _draw(self) -> Effect:
        return self._mixture.draw(self._books.next_number(), self._rng)

    def _send_batch(self) -> None:
        lists: dict[str, list[Effect]] = {}
        for _ in range(min(_BATCH, self._backlog)):
            effect = self._draw()
            if self._rng.random() < self._celery_share:
                self._until_accepted(effect, self._by_celery)
            else:
                lists.setdefault(effect.list_name, []).append(effect)
        for name, effects in lists.items():
            texts = [
                self._press.print(
                    each,
                    self._rng,
                    ignore_result=self._rng.random() >= self._mixture.result_share,
                )
                for each in effects
            ]
            self._repeat(lambda name=name, texts=texts: self._client.lpush(name, *texts))
            self._books.accept(effects)

    def _until_accepted(self, effect: Effect, send: Callable[[Effect], object]) -> None:
        self._repeat(lambda: send(effect))
        self._books.accept([effect])

    def _repeat(self, send: Callable[[], object]) -> None:
        while True:
            try:
                send()
                return
            except (redis.RedisError, OperationalError, OSError, subprocess.SubprocessError):
                self.retried += 1
                time.sleep(_RETRY)

    def _by_celery(self, effect: Effect) -> None:
        self._celery.send_task(
            EFFECT,
            kwargs=effect.arguments,
            queue=QUEUE,
            task_id=effect.task_id,
            priority=effect.priority,
            retry=False,
            ignore_result=True,
        )

    def _by_command(self, effect: Effect) -> None:
        subprocess.run(
            [
                *(os.fspath(self._ground.binary), "enqueue", EFFECT, "--queue", QUEUE),
                *("--id", effect.task_id, "--priority", str(effect.priority)),
                *("--kwargs", str(effect.arguments).replace("'", '"')),
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=20,
            env={**neutral_environment(), **self._ground.environment()},
        )
