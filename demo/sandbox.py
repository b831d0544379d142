"""A private Redis and a private PostgreSQL in a directory of their own, gone without a trace after.

Ports are found by binding, so any number of sandboxes can stand side by side.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType

import psycopg
import redis

from demo.children import Child, ChildFailure

_START_LIMIT = 30.0  # seconds until a server must answer
_START_ATTEMPTS = 3  # a port found free can be taken before the server binds it


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_program(name: str) -> Path:
    """Finds `initdb` or `postgres`, which Debian keeps off the PATH."""
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    versions = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(versions, key=lambda path: float(path.parts[4]), default=None)
    if newest is None:
        raise ChildFailure(f"no {name}: run scripts/bootstrap.sh")
    return newest


class Server:
    """A server of a sandbox. Whoever ends its child can start it again, at the same place."""

    def __init__(self, start: Callable[[], Child], answers: Callable[[], bool]) -> None:
        self._start = start
        self._answers = answers
        self.child = start()

    def wait(self, what: str = "answer") -> None:
        """Waits until it answers; raises `ChildFailure` when it does not."""
        self.child.wait_until(self._answers, within=_START_LIMIT, what=what)

    def restart(self) -> None:
        """Starts it once more, on the same data and port; the last child must have ended."""
        self.child = self._start()
        self.wait()


class Sandbox:
    """Owns a directory, the servers in it, and every process started through `spawn`.

    Used as a context manager by one thread. Leaving it stops the newest child first, then removes
    the directory; it does so on success, error and Ctrl-C alike.
    """

    def __init__(self, purpose: str, *, keep_logs_in: Path | None = None) -> None:
        self._purpose = purpose
        self._keep_logs_in = keep_logs_in
        self._exits = ExitStack()
        self.directory = Path()
        self.logs = Path()
        self.redis_url = ""
        self.database_url = ""
        self.redis_server: Server  # once started
        self.postgres_server: Server

    def __enter__(self) -> Sandbox:
        self.directory = Path(tempfile.mkdtemp(prefix=f"backhaul-{self._purpose}-"))
        self.directory.chmod(0o711)  # the postgres user passes through to its own directory
        self.logs = self.directory / "log"
        self.logs.mkdir(mode=0o755)
        self._exits.callback(shutil.rmtree, self.directory, ignore_errors=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A second Ctrl-C during the clean-up would leave processes behind.
        previous = {
            number: signal.signal(number, signal.SIG_IGN)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            if self._keep_logs_in is not None and kind is not None:
                self.save_logs(self._keep_logs_in)
            self._exits.close()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def save_logs(self, target: Path) -> None:
        """Copies the children's logs to where they survive the sandbox."""
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.logs, target)

    def spawn(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        directory: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        fatal_signal: signal.Signals = signal.SIGKILL,
    ) -> Child:
        """Starts a child that this sandbox ends."""
        child = Child(
            name,
            command,
            log=self.logs / f"{name}.log",
            environment=environment,
            user=user,
            directory=directory,
            stop_signal=stop_signal,
            fatal_signal=fatal_signal,
        )
        self._exits.callback(child.stop)
        return child

    def start_redis(self, *, persistent: bool = True, fsync: str = "everysec") -> redis.Redis:
        """A Redis with a password of its own; `persistent` turns on the append-only file."""
        home = self.directory / "redis"
        home.mkdir(mode=0o700)
        password = secrets.token_hex(12)
        for attempt in range(1, _START_ATTEMPTS + 1):
            port = free_port()
            configuration = home / "redis.conf"
            configuration.write_text(
                f"bind 127.0.0.1\nport {port}\ndir {home}\nrequirepass {password}\n"
                f'save ""\nappendonly {"yes" if persistent else "no"}\nappendfsync {fsync}\n'
                "maxmemory-policy noeviction\ntcp-backlog 128\n"
            )
            configuration.chmod(0o600)  # the password must not be seen in the process list
            name = f"redis-{attempt}"
            url = f"redis://:{password}@127.0.0.1:{port}/0"
            client = redis.Redis.from_url(url)

            def answers() -> bool:
                try:
                    return bool(client.ping())
                except redis.RedisError:
                    return False

            server = Server(partial(self.spawn, name, ["redis-server", configuration]), answers)
            try:
                server.wait("answer to PING")
            except ChildFailure:
                if attempt == _START_ATTEMPTS:
                    raise
                continue
            self.redis_url, self.redis_server = url, server
            self._exits.callback(client.close)
            return client
        raise AssertionError("unreachable")

    def start_postgres(self, database: str = "backhaul") -> None:
        """A PostgreSQL with one database, owned by a plain role of the same name."""
        owner = "postgres" if os.geteuid() == 0 else None  # postgres refuses to run as root
        home = self.directory / "postgres"
        home.mkdir(mode=0o700)
        password = secrets.token_hex(12)
        password_file = home / "password"
        password_file.write_text(password)
        if owner:
            shutil.chown(home, owner, owner)
            shutil.chown(password_file, owner, owner)
        subprocess.run(
            [
                os.fspath(postgres_program("initdb")),
                *("-D", os.fspath(home / "data"), "-U", "postgres", "-E", "UTF8", "--locale=C"),
                *("--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync"),
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=(self.logs / "initdb.log").open("wb"),
            stderr=subprocess.STDOUT,
            cwd=home.parent,
            user=owner,
            group=owner,
            extra_groups=[] if owner else None,
        )
        password_file.unlink()
        port = self._start_postgres_server(home, owner, password)
        admin = f"host=127.0.0.1 port={port} user=postgres password={password} dbname=postgres"
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"create role {database} login password '{password}'")
            connection.execute(f"create database {database} owner {database}")
        self.database_url = f"postgresql://{database}:{password}@127.0.0.1:{port}/{database}"

    def _start_postgres_server(self, home: Path, owner: str | None, password: str) -> int:
        for attempt in range(1, _START_ATTEMPTS + 1):
            port = free_port()
            start = partial(
                self.spawn,
                f"postgres-{attempt}",
                [
                    postgres_program("postgres"),
                    *("-D", home / "data", "-p", str(port), "-k", home),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "timezone=UTC"),
                    *("-c", "max_connections=100", "-c", "shared_buffers=64MB"),
                ],
                user=owner,
                directory=home,
                stop_signal=signal.SIGINT,  # PostgreSQL's fast shutdown
                fatal_signal=signal.SIGQUIT,
            )
            admin = f"host=127.0.0.1 port={port} user=postgres password={password} dbname=postgres"

            def answers() -> bool:
                try:
                    psycopg.connect(admin, connect_timeout=2).close()
                    return True
                except psycopg.OperationalError:
                    return False

            server = Server(start, answers)
            try:
                server.wait("answer to a connection")
                self.postgres_server = server
                return port
            except ChildFailure:
                if attempt == _START_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")
