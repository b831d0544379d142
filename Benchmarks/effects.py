"""Effects of jobs to PostgreSQL in batches: rows a second, beside pgbench with pipelining."""

from __future__ import annotations

import json
import os
import re
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from Benchmarks.contenders import output_of
from Benchmarks.options import Options
from Benchmarks.part import Goal, Part
from Benchmarks.rounds import RoundFailure
from demo.sandbox import Sandbox

GOAL = 0.75  # of pgbench
BATCH = 64
_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "wal_level", "shared_buffers")
_RESULT = '{"delivered":true}'
# The whole record of one job's effect, as the product writes it.
_STATEMENT = (
    "insert into job_effects (job_id, fence, done_at, is_last, result) "
    "values (:id, :fence, now(), true, :result);"
)


@dataclass(frozen=True)
class Discipline:
    """How a commit is treated, and how many rows a round has."""

    name: str
    synchronous_commit: str
    batches: int
    quick_batches: int

    def rows(self, options: Options) -> int:
        return BATCH * (self.quick_batches if options.quick else self.batches)


DISCIPLINES = [
    Discipline("commit waits for the disk", "on", 400, 150),
    Discipline("commit does not wait", "off", 1000, 300),
]


@dataclass(frozen=True)
class Pair:
    """Rows a second of both, in one round."""

    pgbench: float
    backhaul: float

    @property
    def ratio(self) -> float:
        return self.backhaul / self.pgbench


class Bench:
    """The two clients, and the table they fill."""

    def __init__(self, sandbox: Sandbox, binary: Path, options: Options) -> None:
        self._driver = options.driver
        self._environment = {"DATABASE_URL": sandbox.database_url}
        output_of(
            [os.fspath(binary), "migrate", "up"],
            {**self._environment, "REDIS_URL": sandbox.redis_url or "redis://127.0.0.1:1"},
        )
        parts = conninfo_to_dict(sandbox.database_url)
        self._login = {
            "PGHOST": str(parts["host"]), "PGPORT": str(parts["port"]),
            "PGUSER": str(parts["user"]), "PGPASSWORD": str(parts["password"]),
            "PGDATABASE": str(parts["dbname"]),
        }
        self._script = options.work / "effects.sql"
        effect = f"\\set id random(1, 9223372036854775807)\n{_STATEMENT}\n"
        self._script.write_text(f"\\startpipeline\n{effect * BATCH}\\endpipeline\n")
        self._database = psycopg.connect(sandbox.database_url, autocommit=True)

    def close(self) -> None:
        self._database.close()

    def use(self, discipline: Discipline) -> dict[str, str]:
        """Sets how commits are treated in all sessions to come; returns what holds."""
        user = self._login["PGUSER"]
        self._database.execute(
            f"alter role {user} set synchronous_commit = {discipline.synchronous_commit}"
        )
        with psycopg.connect(self._database.info.dsn, password=self._login["PGPASSWORD"]) as fresh:
            return {
                name: str((fresh.execute(f"show {name}").fetchone() or ("",))[0])
                for name in _SETTINGS
            }

    def pgbench(self, rows: int) -> float:
        """Rows a second of one client; prepared statements, as its fastest protocol."""
        self._clear()
        text = output_of(
            [
                *("pgbench", "-n", "-M", "prepared", "-c", "1", "-j", "1"),
                *("-t", str(rows // BATCH), "-D", "fence=1", "-D", f"result={_RESULT}"),
                *("-f", os.fspath(self._script)),
            ],
            self._login,
        )
        found = re.search(r"tps = ([\d.]+)", text)
        if found is None:
            raise RoundFailure(f"pgbench: {text}")
        self._check(rows, "pgbench")
        return float(found[1]) * BATCH

    def backhaul(self, rows: int) -> float:
        """Rows a second of the product's pool with one connection."""
        self._clear()
        told = json.loads(
            output_of(
                [
                    *(os.fspath(self._driver), "effects"),
                    *("--rows", str(rows), "--batch", str(BATCH)),
                ],
                self._environment,
            )
        )
        self._check(rows, "Backhaul")
        return rows / float(told["seconds"])

    def _clear(self) -> None:
        """Both begin with an empty table and nothing for a checkpoint to write meanwhile."""
        self._database.execute("truncate job_effects")

    def _check(self, rows: int, who: str) -> None:
        counted = self._database.execute(
            "select count(*) from job_effects "
            "where done_at is not null and is_last and result = %s",
            (_RESULT,),
        ).fetchone()
        if counted != (rows,):
            raise RoundFailure(f"{who} wrote {counted} of {rows} rows")


def run(sandbox: Sandbox, binary: Path, options: Options) -> Part:
    """Interleaved rounds of each discipline; who goes first alternates."""
    bench = Bench(sandbox, binary, options)
    part = Part(
        title=f"Effects of jobs to PostgreSQL, one connection, batches of {BATCH}",
        lines=[f"{'':<28}{'pgbench':>10}{'Backhaul':>10}{'ratio':>8}{'lowest':>8}{'highest':>9}"],
    )
    try:
        for discipline in DISCIPLINES:
            settings = bench.use(discipline)
            rows = discipline.rows(options)
            pairs = [measured(bench, rows, number) for number in range(options.rounds)]
            add(part, discipline, rows, pairs, settings)
    finally:
        bench.close()
    part.lines.append(
        "rows/s; " + output_of(["pgbench", "--version"]) + ": -M prepared, \\startpipeline"
    )
    return part


def measured(bench: Bench, rows: int, number: int) -> Pair:
    """One round."""
    if number % 2 == 0:
        pgbench = bench.pgbench(rows)
        return Pair(pgbench, bench.backhaul(rows))
    backhaul = bench.backhaul(rows)
    return Pair(bench.pgbench(rows), backhaul)


def add(
    part: Part, discipline: Discipline, rows: int, pairs: list[Pair], settings: dict[str, str]
) -> None:
    """What one discipline gave."""
    ratios = [each.ratio for each in pairs]
    ratio = statistics.median(ratios)
    part.lines += [
        f"{discipline.name:<28}{statistics.median(each.pgbench for each in pairs):>10,.0f}"
        f"{statistics.median(each.backhaul for each in pairs):>10,.0f}"
        f"{ratio:>8.2f}{min(ratios):>8.2f}{max(ratios):>9.2f}",
        f"  {rows:,} rows a round; "
        + ", ".join(f"{name} {value}" for name, value in settings.items()),
    ]
    part.record[discipline.synchronous_commit] = {
        "rows": rows,
        "batch": BATCH,
        "settings": settings,
        "ratio": round(ratio, 3),
        "rounds": [asdict(each) for each in pairs],
    }
    part.goals.append(
        Goal(
            f"effects to PostgreSQL in batches of {BATCH} ({discipline.name}), against pgbench",
            f"≥ {GOAL:g}", f"{ratio:.2f}", ratio >= GOAL,
        )
    )
