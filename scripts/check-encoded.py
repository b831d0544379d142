#!/usr/bin/env python3
"""Has real Celery read what Backhaul writes.

Usage: check-encoded.py DIR

DIR holds the samples that `ENCODED_SAMPLES=DIR swift test --filter EncodedSampleTests` leaves.
Needs `celery[redis]==5.7.0` and tblib in the running Python and `redis-server` on the PATH. Pushes
the messages to a private Redis, lets a Celery worker run them, and reads the results with
AsyncResult. Exits with 1 when Celery reads anything else than was meant.
"""

import datetime
import decimal
import math
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import uuid

import redis
from celery import Celery
from celery.exceptions import NotRegistered, TaskRevokedError
from celery.result import AsyncResult


def application(port):
    url = f"redis://127.0.0.1:{port}/0"
    app = Celery("samples", broker=url, backend=url, set_as_current=True)
    app.conf.update(worker_hijack_root_logger=False, task_remote_tracebacks=True)

    @app.task(name="sample.echo", bind=True)
    def echo(self, *args, **kwargs):
        request = self.request
        return {
            "args": args, "kwargs": kwargs, "retries": request.retries,
            "limits": request.timelimit, "root": request.root_id, "parent": request.parent_id,
            "trace": getattr(request, "trace", None), "delivery": request.delivery_info,
        }

    return app


def check_values(values):
    assert values["when"] == datetime.datetime(
        2020, 1, 2, 3, 4, 5, 500000, tzinfo=datetime.timezone.utc), values
    assert values["price"] == decimal.Decimal("1.1"), values
    assert values["key"] == uuid.UUID(int=5), values
    assert values["text"] == "é".encode() and values["blob"] == b"\xff\x00", values
    assert math.isnan(values["odd"][0]) and values["odd"][1:] == [math.inf, -math.inf], values
    assert values["words"] == "Grüße, 世界 🚀 \"\\\n\x7f", values


def check_messages(app, client, samples, port):
    messages = {path.stem: path.read_bytes() for path in samples.glob("message-*.json")}
    assert messages, "no samples"
    for name, raw in messages.items():
        client.lpush("celery\x06\x169" if name == "message-priority" else "celery", raw)
    worker = subprocess.Popen([sys.executable, __file__, "--worker", str(port)])
    try:
        for name in messages:
            task_id = "sample-" + name.removeprefix("message-")
            result = AsyncResult(task_id, app=app)
            if name == "message-expired":
                try:
                    result.get(timeout=30)
                    raise AssertionError("an expired message ran")
                except TaskRevokedError:
                    continue
            value = result.get(timeout=30)
            assert value["args"] == [1, "two", [3.5, None]], value
            check_values(value["kwargs"])
            assert value["retries"] == (1 if name == "message-retried" else 0), value
            if name == "message-limits":
                assert value["limits"] == [60, 45.5], value
            if name == "message-family":
                assert (value["root"], value["parent"]) == ("root", "parent"), value
            if name == "message-headers":
                assert value["trace"] == "abc", value
            again = bool(value["delivery"]["redelivered"])
            assert again is (name == "message-redelivered"), value
            print("ok", name)
        deadline = time.monotonic() + 10
        while client.hlen("unacked"):
            assert time.monotonic() < deadline, "the worker did not acknowledge"
            time.sleep(0.05)
    finally:
        worker.terminate()
        worker.wait(30)


def check_results(app, client, samples):
    for path in samples.glob("result-*.json"):
        client.set(f"celery-task-meta-{path.stem.removeprefix('result-')}", path.read_bytes())

    def result(name):
        return AsyncResult(name, app=app)

    check_values(result("success").get(timeout=1))
    assert result("success").date_done == datetime.datetime(
        2027, 1, 15, 8, 0, 0, 250000, tzinfo=datetime.timezone.utc)
    for name in ("failure", "undecodable"):
        try:
            result(name).get(timeout=1)
            raise AssertionError(f"{name} did not raise")
        except ValueError as error:
            assert error.args == ("the disk is full",), error
        assert result(name).state == "FAILURE"
        assert "DiskError" in result(name).traceback
    for name, kind in (("unknown", NotRegistered), ("revoked", TaskRevokedError)):
        try:
            result(name).get(timeout=1)
            raise AssertionError(f"{name} did not raise")
        except kind:
            pass
    assert result("retry").state == "RETRY"
    assert isinstance(result("retry").result, ValueError)
    print("ok results")


def main(samples):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
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
            app = application(port)
            check_messages(app, client, samples, port)
            check_results(app, client, samples)
        finally:
            server.terminate()
            server.wait(30)


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
