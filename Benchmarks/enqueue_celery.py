"""Enqueues with Celery's own client, one by one, to the server of $REDIS_URL.

    python enqueue_celery.py COUNT

Prints {"messages": …, "seconds": …, "cpu_seconds": …}. Runs under the peers' Python.
"""

import json
import os
import sys
import time

import celery

count = int(sys.argv[1])
url = os.environ["REDIS_URL"]
# Results are not asked for, so that the client subscribes to nothing.
app = celery.Celery("bench-producer", broker=url)
arguments = {"queue": "bench", "ignore_result": True}
app.send_task("bench.charge", kwargs={"invoice": 0, "currency": "EUR"}, **arguments)

started, busy = time.monotonic(), time.process_time()
for number in range(count):
    app.send_task(
        "bench.charge", kwargs={"invoice": 1_000_000 + number, "currency": "EUR"}, **arguments
    )
print(
    json.dumps(
        {
            "messages": count,
            "seconds": time.monotonic() - started,
            "cpu_seconds": time.process_time() - busy,
            "version": celery.__version__,
        }
    )
)
