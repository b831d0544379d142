"""Sends many tasks for later, as a Python producer does.

    countdowns.py REDIS_URL TASK COUNT COUNTDOWN

Every other one with `countdown`, the rest with an aware `eta`. Prints the ids as JSON.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

from celery import Celery


def main(url, task, count, countdown):
    app = Celery("client", broker=url, backend=url)
    zone = timezone(timedelta(hours=5, minutes=30))
    ids = []
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(count):
            when = {"countdown": countdown}
            if number % 2:
                when = {"eta": datetime.now(zone) + timedelta(seconds=countdown)}
            ids.append(app.send_task(task, producer=producer, **when).id)
    print(json.dumps(ids))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
