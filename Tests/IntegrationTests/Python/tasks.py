"""The Python half of a mixed fleet: `celery -A tasks worker`.

Environment: TEST_REDIS (URL), TEST_VISIBILITY (seconds), TEST_STUCK (jobs never end, if not empty).
"""

import os
import threading

from celery import Celery

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
