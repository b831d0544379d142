"""The calls that a worker makes to Redis, each seen by MONITOR, and which of them are for jobs."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from Benchmarks.contenders import ROOT
from demo.children import ChildFailure

_SCRIPTS = ROOT / "Sources" / "Broker" / "Scripts"
_WORKER = "backhaul"  # what the names of a worker's connections begin with
# What a worker sends from time to time, jobs or not: looks for delayed jobs, wishes, stale leases
# and open chords, signs of life, and events. All else counts, whatever it may be.
_BY_THE_CLOCK = {"promote", "TIME", "ZRANGEBYSCORE", "EVAL", "PING", "PUBLISH"}
_LIMIT = 30.0  # seconds


class Calls:
    """Calls by name; a script has the name of its file."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._names = _script_names()
        self._database = str(client.connection_pool.connection_kwargs["db"]).encode()
        self._seen: Counter[tuple[str, str]] = Counter()  # by connection and name

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Everything that Redis is asked meanwhile is seen."""
        options = self._client.connection_pool.connection_kwargs
        end = f"end of watching {id(self)}"
        with socket.create_connection((options["host"], options["port"]), _LIMIT) as line:
            line.sendall(f"AUTH {options['password']}\r\nMONITOR\r\n".encode())
            replies = line.makefile("rb")
            for _ in range(2):
                if (answer := replies.readline()) != b"+OK\r\n":
                    raise ChildFailure(f"Redis does not let us watch: {answer!r}")
            reader = threading.Thread(target=self._read, args=(replies, end.encode()), daemon=True)
            reader.start()
            try:
                yield
            finally:
                self._client.echo(end)
                reader.join(_LIMIT)
        if reader.is_alive():
            raise ChildFailure("Redis no longer says what it is asked")

    def for_jobs(self) -> dict[str, int]:
        """How often each call was made by a worker that is still connected."""
        workers = {
            each["addr"]
            for each in self._client.client_list()
            if each["name"].startswith(_WORKER)
        }
        found: Counter[str] = Counter()
        for (connection, name), count in self._seen.items():
            if connection in workers and name not in _BY_THE_CLOCK:
                found[name] += count
        return dict(found)

    def _read(self, replies: Iterator[bytes], end: bytes) -> None:
        for line in replies:
            # +1700000000.123456 [7 127.0.0.1:40000] "EVALSHA" "b74be5…" …
            _, _, rest = line.partition(b"[")
            origin, _, command = rest.partition(b"] ")
            database, _, connection = origin.partition(b" ")
            if end in command:
                return
            if connection == b"lua" or database != self._database:
                continue  # what a script asks within its call, and what others do
            words = command[:200].split(b'"')
            name = words[1].decode().upper()
            if name == "EVALSHA":
                digest = words[3].decode()
                name = self._names.get(digest, digest[:8])
            self._seen[connection.decode(), name] += 1


def _script_names() -> dict[str, str]:
    """Names by digest, of each script alone and with another, the shared part, before it."""
    sources = {file.stem: file.read_bytes() for file in _SCRIPTS.glob("*.lua")}
    return {
        hashlib.sha1(shared + source).hexdigest(): name
        for name, source in sources.items()
        for shared in (b"", *sources.values())
    }
