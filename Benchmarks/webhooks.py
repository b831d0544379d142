"""Webhooks over HTTP: signed deliveries a second by one process, beside a C loop and the sink."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from Benchmarks.contenders import output_of
from Benchmarks.floor import compiled
from Benchmarks.options import Options
from Benchmarks.part import Goal, Part
from Benchmarks.rounds import RoundFailure
from Benchmarks.webhook_receiver import SECRET, check_delivery
from demo.sandbox import Sandbox, free_port

GOAL = 0.75  # of the C loop
IN_FLIGHT = 64
_DELIVERIES = 50_000  # a round; quick: fewer
_QUICK = 15_000
_CEILING_SECONDS = 1
_HERE = Path(__file__).resolve().parent
_BODY = {
    "id": 12345, "type": "invoice.paid", "created_at": "2024-05-01T12:00:00Z",
    "customer": {"id": 678, "name": "Example GmbH", "city": "Graz", "plan": "fibre-1000"},
    "invoice": {
        "number": "2024-000123", "currency": "EUR", "total": "129.90", "paid": True,
        "lines": [
            {"text": f"Position {number}: access, one month", "amount": "25.98"}
            for number in range(4)
        ],
    },
}


@dataclass(frozen=True)
class Run:
    """What one program reported of itself, as the sink confirmed."""

    deliveries: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.deliveries / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        return self.cpu_seconds / self.deliveries * 1e6


class Sink:
    """A private nginx with one worker that takes everything."""

    def __init__(self, sandbox: Sandbox) -> None:
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            raise RoundFailure("no nginx: run scripts/bootstrap.sh")
        self.version = subprocess.run(
            [program, "-v"], check=True, capture_output=True, text=True
        ).stderr.strip().rpartition("/")[2]
        home = sandbox.directory / "nginx"
        home.mkdir(mode=0o755)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/hooks/billing"
        self._status = f"http://127.0.0.1:{port}/status"
        template = (_HERE / "webhooks.conf").read_text()
        configuration = home / "nginx.conf"
        configuration.write_text(
            template.replace("@directory@", str(home)).replace("@port@", str(port))
        )
        child = sandbox.spawn(
            "nginx", [program, "-p", home, "-e", "stderr", "-c", configuration], directory=home
        )
        child.wait_until(self._answers, within=10, what="answer")

    def requests(self) -> int:
        """How many it has answered, this question included."""
        with urllib.request.urlopen(self._status, timeout=10) as answer:
            return int(answer.read().split(b"\n")[2].split()[2])

    def _answers(self) -> bool:
        try:
            return self.requests() > 0
        except OSError:
            return False


class Bench:
    """The contenders, and what they send where."""

    def __init__(self, sandbox: Sandbox, options: Options) -> None:
        self.sink = Sink(sandbox)
        self._floor = compiled("webhooks", options.work, "curl", "crypto")
        self._driver = options.driver
        self._body = options.work / "webhook-body.json"
        self._body.write_text(json.dumps(_BODY))
        self.body_size = self._body.stat().st_size
        for command in (self.floor_command, self.product_command):
            check_delivery(command, self._body)

    def floor_command(self, url: str, deliveries: int) -> list[str]:
        return [
            *(os.fspath(self._floor), url, str(deliveries), str(IN_FLIGHT), SECRET),
            os.fspath(self._body),
        ]

    def product_command(self, url: str, deliveries: int) -> list[str]:
        return [
            *(os.fspath(self._driver), "webhooks", "--url", url, "--secret", SECRET),
            *("--deliveries", str(deliveries), "--in-flight", str(IN_FLIGHT)),
            *("--body", os.fspath(self._body)),
        ]

    def run(self, command: list[str]) -> Run:
        """One run, whose every request must have reached the sink."""
        before = self.sink.requests()
        told = json.loads(output_of(command))
        arrived = self.sink.requests() - before - 1
        if arrived != told["deliveries"] + told["warm_up"]:
            raise RoundFailure(f"the sink saw {arrived} requests, not those of {told}")
        return Run(told["deliveries"], told["seconds"], told["cpu_seconds"])

    def ceiling(self) -> float:
        """Requests a second that the sink answers when the client does next to nothing."""
        text = output_of([
            *("wrk", "-t", "1", "-c", str(IN_FLIGHT), "-d", str(_CEILING_SECONDS)),
            *("-s", os.fspath(_HERE / "webhooks.wrk"), self.sink.url, os.fspath(self._body)),
        ])
        found = re.search(r"Requests/sec:\s*([\d.]+)", text)
        if found is None or "Non-2xx" in text:
            raise RoundFailure(f"wrk: {text}")
        return float(found[1])


def run(sandbox: Sandbox, binary: Path, options: Options) -> Part:
    """Interleaved rounds; who goes first alternates."""
    bench = Bench(sandbox, options)
    deliveries = _QUICK if options.quick else _DELIVERIES
    floor: list[Run] = []
    product: list[Run] = []
    ceiling: list[float] = []
    for number in range(options.rounds):
        contenders = [
            (floor, bench.floor_command(bench.sink.url, deliveries)),
            (product, bench.product_command(bench.sink.url, deliveries)),
        ]
        for runs, command in contenders if number % 2 == 0 else reversed(contenders):
            runs.append(bench.run(command))
        ceiling.append(bench.ceiling())
    ratios = [ours.rate / least.rate for ours, least in zip(product, floor)]
    ratio = statistics.median(ratios)
    return Part(
        title=f"Webhooks: signed POSTs of {bench.body_size} bytes, one process, "
        f"{IN_FLIGHT} in flight, kept connections",
        lines=[
            f"{'':<22}{'per s':>10}{'lowest':>10}{'highest':>10}{'CPU µs each':>14}",
            line("C, curl_multi_poll", floor),
            line("Backhaul", product),
            f"{'wrk, no signature':<22}{statistics.median(ceiling):>10,.0f}"
            f"{min(ceiling):>10,.0f}{max(ceiling):>10,.0f}",
            f"ratio to C {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), "
            f"{options.rounds} rounds of {deliveries:,}; "
            f"CPU {cpu(product) / cpu(floor):.2f} times that of C",
            f"sink: nginx {bench.sink.version}, one worker; libcurl {curl_version()}; "
            "HMAC-SHA256 twice for each",
        ],
        record={
            "in_flight": IN_FLIGHT,
            "body_bytes": bench.body_size,
            "nginx": bench.sink.version,
            "libcurl": curl_version(),
            "ratio": round(ratio, 3),
            "ratios": [round(each, 3) for each in ratios],
            "ceiling_per_second": [round(each, 1) for each in ceiling],
            "floor": [asdict(each) for each in floor],
            "backhaul": [asdict(each) for each in product],
        },
        goals=[
            Goal(
                f"webhook deliveries, {IN_FLIGHT} in flight, against a C curl_multi loop",
                f"≥ {GOAL:g}", f"{ratio:.2f}", ratio >= GOAL,
            )
        ],
    )


def line(name: str, runs: list[Run]) -> str:
    rates = [each.rate for each in runs]
    return (
        f"{name:<22}{statistics.median(rates):>10,.0f}{min(rates):>10,.0f}{max(rates):>10,.0f}"
        f"{cpu(runs):>14.1f}"
    )


def cpu(runs: list[Run]) -> float:
    """Of the program alone, microseconds for each delivery."""
    return statistics.median(each.cpu_microseconds for each in runs)


def curl_version() -> str:
    return output_of(["curl-config", "--version"]).rpartition(" ")[2]
