"""Celery's client as its users know it, one request for each run of this program.

    client.py REDIS_URL REQUEST_FILE

The request is JSON: {"jobs": [...], "wait": seconds or null}. A job is {"name", "args", "kwargs",
"options"}, which is sent, or {"id"}, which was sent before. With "wait", `get(timeout=wait)`
follows for each. The answer on standard output is a list in the same order.
"""

import sys
from datetime import datetime, timezone

from celery import Celery
from celery.result import AsyncResult
from kombu.utils.json import dumps, loads


def submit(app, job):
    if "id" in job:
        return AsyncResult(job["id"], app=app), None
    sent_at = datetime.now(timezone.utc)
    options = dict(job["options"])
    return app.send_task(job["name"], args=job["args"], kwargs=job["kwargs"], **options), sent_at


def answer(result, sent_at, wait):
    value = error = None
    if wait is not None:
        try:
            value = result.get(timeout=wait)
        except Exception as exception:
            error = type(exception).__name__
    state = result.state if wait is not None else "PENDING"
    done = result.date_done if wait is not None else None
    return {"id": result.id, "state": state, "result": value, "error": error,
            "sent_at": sent_at, "date_done": done}


def main(url, path):
    with open(path, encoding="utf-8") as file:
        request = loads(file.read())
    app = Celery("client", broker=url, backend=url)
    submitted = [submit(app, job) for job in request["jobs"]]
    print(dumps([answer(*pair, request["wait"]) for pair in submitted]))


if __name__ == "__main__":
    main(*sys.argv[1:])
