#!/usr/bin/env python3
"""Captures real Celery messages and results, with what each must decode to.

Usage: capture-golden.py OUTDIR

Needs `celery[redis]==5.7.0` (and msgpack, PyYAML for two of the cases) in the running Python and
`redis-server` on the PATH. Starts a private Redis on a free port of 127.0.0.1 and one Celery
worker, and ends both. Tracebacks hold the paths of this script and of Celery. Writes the bytes
found in Redis, unchanged, as OUTDIR/*.json, and
OUTDIR/index.json: for each file its kind and, decoded by Celery's own libraries, its content.
"""

import base64
import datetime
import decimal
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import uuid

import redis
from celery import Celery, chain, chord, group
from kombu.compression import decompress
from kombu.serialization import loads as kombu_loads
from kombu.utils.json import dumps as kombu_dumps

UTC = datetime.timezone.utc
ETA = datetime.datetime(2031, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
ZONED = datetime.datetime(
    2030, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.timezone(datetime.timedelta(hours=1))
)
TYPED = {
    "aware": datetime.datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "naive": datetime.datetime(2020, 1, 2, 3, 4, 5),
    "offset": ZONED,
    "day": datetime.date(2020, 2, 29),
    "time": datetime.time(1, 2, 3),
    "price": decimal.Decimal("1.10"),
    "key": uuid.UUID(int=5),
    "text": b"abc",
    "blob": b"\xff\x00",
}
TEXT = "Grüße, 世界 🚀 \"quoted\" \\ \n\t\u0001\u007f e\u0301"


def application(port):
    url = f"redis://127.0.0.1:{port}/0"
    app = Celery("golden", broker=url, backend=url, set_as_current=True)
    app.conf.update(
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        accept_content=["json", "pickle", "yaml", "msgpack"],
    )

    @app.task(name="golden.add")
    def add(x, y):
        return x + y

    @app.task(name="golden.typed")
    def typed():
        return TYPED

    @app.task(name="golden.fail")
    def fail(*args):
        raise ValueError(*args)

    @app.task(name="golden.retry", bind=True)
    def retry(self, *args, **kwargs):
        raise self.retry(exc=KeyError("x"), countdown=3600, queue="again")

    return app


class Capture:
    """What has been captured so far, and where it is written."""

    def __init__(self, app, client, outdir):
        self.app, self.client, self.outdir = app, client, outdir
        self.index = []

    def write(self, name, raw, kind, expectation):
        file = f"{name}.json"
        (self.outdir / file).write_bytes(raw)
        self.index.append({"file": file, "kind": kind, "expect": expectation})

    def drain(self, queue):
        messages = []
        for suffix in ("", "\x06\x163", "\x06\x166", "\x06\x169"):
            while (raw := self.client.rpop(queue + suffix)) is not None:
                messages.append(raw)
        return messages

    def messages(self, name, error=None, queue="golden"):
        """Takes what was just sent; several messages are numbered."""
        found = self.drain(queue)
        assert found, name
        for number, raw in enumerate(found, 1):
            label = name if len(found) == 1 else f"{name}-{number}"
            self.write(label, raw, "message", expected(raw, error))

    def result(self, name, task_id):
        raw = self.client.get(f"celery-task-meta-{task_id}")
        assert raw, name
        self.write(name, raw, "result", json.loads(raw))


def microseconds(text):
    if text is None:
        return None
    when = datetime.datetime.fromisoformat(text)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return (when - datetime.datetime(1970, 1, 1, tzinfo=UTC)) // datetime.timedelta(microseconds=1)


def expected(raw, error):
    """The content of an envelope, decoded by Python."""
    envelope = json.loads(raw)
    headers, properties = envelope["headers"], envelope["properties"]
    expectation = {"priority": properties["priority"], "error": error}
    if "task" in headers:
        limits = headers.get("timelimit") or [None, None]
        expectation |= {
            "id": headers["id"], "task": headers["task"], "retries": headers["retries"],
            "eta": microseconds(headers["eta"]), "expires": microseconds(headers["expires"]),
            "timelimit": limits, "ignore_result": headers["ignore_result"],
            "root_id": headers["root_id"], "parent_id": headers["parent_id"],
            "group": headers["group"],
        }
    if error is not None:
        return expectation
    body = envelope["body"]
    if properties["body_encoding"] == "base64":
        body = base64.b64decode(body)
    if "compression" in headers:
        body = decompress(body, headers["compression"])
    decoded = kombu_loads(
        body, envelope["content-type"], envelope["content-encoding"], accept=["application/json"])
    if "task" in headers:
        args, kwargs, embed = decoded
    else:
        args, kwargs = decoded["args"], decoded["kwargs"]
        embed = {key: decoded[key] for key in ("callbacks", "errbacks", "chord") if decoded[key]}
        expectation |= {
            "id": decoded["id"], "task": decoded["task"], "retries": decoded["retries"],
            "eta": microseconds(decoded["eta"]), "expires": microseconds(decoded["expires"]),
            "timelimit": decoded["timelimit"] or [None, None], "ignore_result": None,
            "root_id": None, "parent_id": None, "group": decoded["taskset"],
        }
    # Written again by kombu: its typed values appear as they do on the wire.
    expectation |= {
        "args": json.loads(kombu_dumps(args)), "kwargs": json.loads(kombu_dumps(kwargs)),
        "embed": json.loads(kombu_dumps(embed)),
    }
    return expectation


def capture_plain(capture):
    app, task_id = capture.app, iter(f"golden-{n:04d}" for n in range(1, 1000))

    def send(name, args=(), kwargs=None, error=None, task="golden.add", **options):
        app.send_task(
            task, args, kwargs or {}, queue="golden", task_id=next(task_id), **options)
        capture.messages(name, error)

    send("args", (2, 3))
    send("kwargs", (), {"x": 2, "y": 3})
    send("mixed", (2,), {"y": 3})
    send("no-arguments")
    send("eta", (2, 3), eta=ETA)
    send("eta-offset", (2, 3), eta=ZONED)
    send("eta-naive", (2, 3), eta=ZONED.replace(tzinfo=None))
    send("eta-text", (2, 3), eta="2030-01-02T03:04:05Z")
    send("countdown", (2, 3), countdown=3600)
    send("expires", (2, 3), expires=ETA + datetime.timedelta(days=1))
    send("expires-seconds", (2, 3), expires=86400)
    for priority in (0, 2, 3, 6, 9, 10):
        send(f"priority-{priority}", (2, 3), priority=priority)
    send("time-limits", (2, 3), time_limit=60, soft_time_limit=45.5)
    send("ignore-result", (2, 3), ignore_result=True)
    send("typed", (TYPED["aware"], TYPED["key"]), TYPED)
    send("unicode", (TEXT,), {"größe": TEXT})
    send("numbers", (0, -1, 1.5, 1e300, 2**80, 0.1, -0.0, 1e-7, True, None))
    send("not-finite", (float("nan"), float("inf"), float("-inf")))
    send("nested", ([[[{"a": [1, {"b": []}]}]]], {}), {"deep": {"er": {"est": [None]}}})
    send("headers", (2, 3), headers={"trace": "abc", "nested": {"a": [1, 1.0]}, "largest": 2**70})
    send("surrogate", ("\ud800",), error="envelope.json")
    send("shadow", (2, 3), shadow="another name")
    send("gzip", (["x" * 1000], 3), compression="gzip")
    send("zlib", (["y" * 1000], 3), compression="zlib")
    send("bzip2", (2, 3), compression="bzip2", error="body.compression")
    send("lzma", (2, 3), compression="lzma", error="body.compression")
    send("pickle", (2, 3), serializer="pickle", error="body.content_type")
    send("yaml", (2, 3), serializer="yaml", error="body.content_type")
    send("msgpack", (2, 3), serializer="msgpack", error="body.content_type")


def capture_canvas(capture):
    add = capture.app.tasks["golden.add"]
    add.apply_async((2, 3), queue="golden", link=add.s(4), link_error=add.si(5, 6))
    capture.messages("link")
    chain(add.s(1, 2), add.s(3), add.s(4)).apply_async(queue="golden")
    capture.messages("chain")
    group(add.s(1, 2).set(queue="golden"), add.s(3, 4).set(queue="golden")).apply_async()
    capture.messages("group")
    chord([add.s(1, 2).set(queue="golden"), add.s(3, 4).set(queue="golden")])(add.si(5, 6))
    capture.messages("chord")
    stamped = add.s(1, 2).set(queue="golden")
    stamped.stamp(colour="blue")
    stamped.apply_async()
    capture.messages("stamps")


def capture_protocol_one(capture):
    capture.app.conf.task_protocol = 1
    capture.app.amqp.__dict__.pop("_create_task_message", None)
    capture.app.amqp.__dict__.pop("create_task_message", None)
    app = capture.app
    app.send_task("golden.add", (2, 3), {}, queue="golden", task_id="golden-one-1")
    capture.messages("protocol-1")
    app.send_task(
        "golden.add", (2,), {"y": TYPED["price"]}, queue="golden", task_id="golden-one-2",
        eta=ETA, compression="gzip", link=app.signature("golden.add", (1,)))
    capture.messages("protocol-1-eta")
    app.conf.task_protocol = 2
    app.amqp.__dict__.pop("create_task_message", None)


def capture_worker(capture, port):
    """Has a real worker run what writes results and what retries."""
    app = capture.app
    app.send_task("golden.add", (2, 3), task_id="golden-success")
    app.send_task("golden.typed", task_id="golden-typed")
    app.send_task("golden.fail", ("boom", 42), task_id="golden-failure")
    app.send_task("golden.add", (2, 3), task_id="golden-revoked", expires=-60)
    app.send_task("golden.missing", task_id="golden-missing")
    app.send_task(
        "golden.retry", (1, "é"), {"k": [1.0]}, task_id="golden-retry",
        headers={"trace": "abc"}, expires=ETA, priority=3)
    names = {
        "success": "golden-success", "typed-result": "golden-typed", "failure": "golden-failure",
        "revoked": "golden-revoked", "missing": "golden-missing", "retrying": "golden-retry",
    }
    worker = subprocess.Popen(
        [sys.executable, __file__, "--worker", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not all(capture.client.exists(f"celery-task-meta-{i}") for i in names.values()):
            assert time.monotonic() < deadline, "the worker did not finish"
            time.sleep(0.1)
        while not capture.client.exists("again\x06\x163"):
            assert time.monotonic() < deadline, "the worker did not retry"
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(30)
    for name, task_id in names.items():
        capture.result(f"result-{name}", task_id)
    capture.messages("retried", queue="again")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main(outdir):
    outdir.mkdir(parents=True, exist_ok=True)
    for old in outdir.glob("*.json"):
        old.unlink()
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
             "--dir", directory], stdout=subprocess.DEVNULL)
        try:
            client = redis.Redis(port=port)
            deadline = time.monotonic() + 10
            while True:
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    assert time.monotonic() < deadline, "redis-server did not start"
                    time.sleep(0.05)
            capture = Capture(application(port), client, outdir)
            capture_plain(capture)
            capture_canvas(capture)
            capture_protocol_one(capture)
            capture_worker(capture, port)
        finally:
            server.terminate()
            server.wait(30)
    index = sorted(capture.index, key=lambda case: case["file"])
    (outdir / "index.json").write_text(json.dumps(index, indent=1) + "\n")
    print(f"{len(index)} files in {outdir}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        os.environ["C_FORCE_ROOT"] = "1"
        application(int(sys.argv[2])).worker_main(["worker", "-P", "solo", "-l", "warning"])
    elif len(sys.argv) == 2:
        main(pathlib.Path(sys.argv[1]))
        sys.stdout.flush()
        os._exit(0)  # results still unread would look for the server that is gone
    else:
        sys.exit(__doc__)
