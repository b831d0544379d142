"""Sends signatures given as JSON, as Celery's client does, and waits for what they return.

    workflow_client.py REDIS_URL REQUEST_FILE

The request is JSON: {"signatures": [...], "wait": seconds}. The answer on standard output is a list
in the same order, of {"value"} or {"error", "message"}.
"""

import json
import sys

from celery import Celery, signature


def answer(result, wait):
    try:
        return {"value": result.get(timeout=wait)}
    except Exception as exception:
        return {"error": type(exception).__name__, "message": str(exception)}


def main(url, path):
    with open(path, encoding="utf-8") as file:
        request = json.load(file)
    app = Celery("client", broker=url, backend=url, set_as_current=True)
    sent = [signature(one, app=app).apply_async() for one in request["signatures"]]
    print(json.dumps([answer(result, request["wait"]) for result in sent]))


if __name__ == "__main__":
    main(*sys.argv[1:])
