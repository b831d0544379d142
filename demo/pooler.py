"""A private pgbouncer in transaction mode, before the PostgreSQL of a sandbox."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from demo.children import ChildFailure
from demo.sandbox import Sandbox, free_port

_SERVERS = 20  # connections to PostgreSQL, for all clients together
_CLIENTS = 200
_ATTEMPTS = 3  # a port found free can be taken before pgbouncer binds it


def pgbouncer_program() -> Path:
    """Finds `pgbouncer`, which Debian puts where only root looks."""
    for found in (shutil.which("pgbouncer"), "/usr/sbin/pgbouncer"):
        if found and os.access(found, os.X_OK):
            return Path(found)
    raise ChildFailure("no pgbouncer: run scripts/bootstrap.sh")


def start_pgbouncer(sandbox: Sandbox) -> str:
    """Starts one that this sandbox ends; the address of the same database through it.

    A connection to PostgreSQL belongs to a client for one transaction only: prepared statements,
    session settings, advisory locks and LISTEN do not survive it.
    """
    server = urlsplit(sandbox.database_url)
    database = server.path.removeprefix("/")
    owner = "postgres" if os.geteuid() == 0 else None  # pgbouncer refuses to run as root
    home = sandbox.directory / "pgbouncer"
    home.mkdir(mode=0o700)
    users = home / "users"
    users.write_text(f'"{server.username}" "{server.password}"\n')
    users.chmod(0o600)
    configuration = home / "pgbouncer.ini"
    for attempt in range(1, _ATTEMPTS + 1):
        port = free_port()
        configuration.write_text(
            f"[databases]\n{database} = host=127.0.0.1 port={server.port} dbname={database}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"pool_mode = transaction\nauth_type = scram-sha-256\nauth_file = {users}\n"
            f"default_pool_size = {_SERVERS}\nmax_client_conn = {_CLIENTS}\n"
            "ignore_startup_parameters = extra_float_digits, options\n"
            "log_connections = 0\nlog_disconnections = 0\n"
        )
        if owner:
            for path in (home, users, configuration):
                shutil.chown(path, owner, owner)
        child = sandbox.spawn(
            f"pgbouncer-{attempt}", [pgbouncer_program(), configuration], user=owner, directory=home
        )
        url = f"postgresql://{server.username}:{server.password}@127.0.0.1:{port}/{database}"

        def answers() -> bool:
            try:
                psycopg.connect(url, connect_timeout=2).close()
                return True
            except psycopg.OperationalError:
                return False

        try:
            child.wait_until(answers, within=15, what="answer to a connection")
            return url
        except ChildFailure:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")
