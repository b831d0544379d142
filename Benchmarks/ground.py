"""The servers that all parts use one after the other, and a clean slate between two of them."""

from __future__ import annotations

import signal
from typing import Any

import psycopg
import redis

from demo.children import Child
from demo.sandbox import Sandbox

_SCHEMAS = """
select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
"""


class Ground(Sandbox):
    """A sandbox that can end what a part started, so that nothing disturbs the next one."""

    def __init__(self) -> None:
        super().__init__("bench")
        self._spawned: list[Child] = []
        self.client: redis.Redis

    def spawn(self, *arguments: Any, **options: Any) -> Child:
        child = super().spawn(*arguments, **options)
        self._spawned.append(child)
        return child

    def start(self) -> None:
        self.client = self.start_redis(persistent=False)
        self.start_postgres()

    def clear(self) -> None:
        """Ends every process but the two servers, and empties both of these."""
        servers = (self.redis_server.child, self.postgres_server.child)
        guests = [each for each in self._spawned if each not in servers]
        for child in guests:
            child.send(signal.SIGTERM)  # all at once; then wait for each
        for child in reversed(guests):
            child.stop()
        self._spawned = list(servers)
        self.client.flushall()
        self.client.memory_purge()
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            for (schema,) in connection.execute(_SCHEMAS).fetchall():
                connection.execute(f'drop schema "{schema}" cascade')
            connection.execute("create schema public")
