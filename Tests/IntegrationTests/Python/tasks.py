"""The Python half of a mixed fleet: `celery -A tasks worker`.

Environment: TEST_REDIS (URL), TEST_VISIBILITY (seconds), TEST_STUCK (jobs never end, if not empty).
"""

import os
import threading

import redis
from celery import Celery, chain, signature

app = Celery("tasks", broker=os.environ["TEST_REDIS"], backend=os.environ["TEST_REDIS"])
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=8,
    broker_transport_options={
        "visibility_timeout": int(os.environ["TEST_VISIBILITY"]),
        # kombu looks for abandoned messages every tenth interval.
        "unacked_restore_interval": 0.1,
    },
)


def begin():
    if os.environ["TEST_STUCK"]:
        threading.Event().wait()


@app.task(name="backhaul.ping")
def ping():
    begin()
    return "pong from Python"


@app.task(name="isp_framework.process_service_provisioning")
def provision(service_id):
    begin()
    return {"service_id": service_id, "by": "Python"}


@app.task(name="python.describe")
def describe(**values):
    types = {key: f"{type(value).__module__}.{type(value).__name__}"
             for key, value in values.items()}
    return {"types": types, "values": values}


# The same names as Swift's drills, so that either worker may take each.

@app.task(name="drill.add")
def add(x, y):
    return x + y


@app.task(name="drill.sum")
def total(values):
    return sum(total(value) if isinstance(value, list) else value for value in values)


@app.task(name="drill.fail")
def fail(message, permanently=False):
    raise RuntimeError(message)


@app.task(name="drill.replace", bind=True)
def replace(self, x, by):
    first = add.s(x, 0).set(queue="celery")
    raise self.replace(chain(first, signature(by, app=app)))


@app.task(name="python.note")
def note(label):
    redis.Redis.from_url(os.environ["TEST_REDIS"]).rpush("test:notes", label)
