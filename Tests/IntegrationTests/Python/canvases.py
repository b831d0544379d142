"""What Celery's client sends for canvases, for comparison with what Swift sends for the same.

    canvases.py REDIS_URL SEED COUNT

Prints one JSON line for each canvas: its signature, the messages sent for it in their order, the
sizes of its chords and its saved groups. Nothing may consume from that Redis meanwhile.
"""

import base64
import json
import os
import random
import sys

import redis
from celery import Celery, chain, chord, group

url, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
app = Celery("canvases", broker=url, backend=url)
server = redis.Redis.from_url(url)


@app.task(name="t.a")
def a(*args):
    return args


@app.task(name="t.b")
def b(*args):
    return args


def one(choose):
    task = choose.choice([a, b])
    signature = task.s(*[choose.randint(0, 9) for _ in range(choose.randint(0, 2))])
    if choose.random() < 0.2:
        signature = signature.set(immutable=True)
    if choose.random() < 0.15:
        signature.link(b.s("linked"))
    if choose.random() < 0.15:
        signature.link_error(b.si("failed"))
    if choose.random() < 0.15:
        signature = signature.set(priority=choose.randint(0, 9))
    if choose.random() < 0.1:
        signature = signature.set(countdown=3600)
    return signature


def canvas(choose, depth, kinds="tcgd"):
    kind = choose.choice(kinds) if depth else "t"
    if kind == "t":
        return one(choose)
    if kind == "c":
        return chain(*[canvas(choose, depth - 1, "tttgd") for _ in range(choose.randint(2, 3))])
    if kind == "g":
        return group(*[canvas(choose, depth - 1, "ttcd") for _ in range(choose.randint(2, 3))])
    header = [canvas(choose, depth - 1, "ttc") for _ in range(choose.randint(2, 3))]
    return chord(header, one(choose))


def seen(raw):
    envelope = json.loads(raw)
    headers = envelope["headers"]
    args, kwargs, embed = json.loads(base64.b64decode(envelope["body"]))
    return {"task": headers["task"], "id": headers["id"], "group": headers["group"],
            "group_index": headers["group_index"], "root_id": headers["root_id"],
            "parent_id": headers["parent_id"], "eta": headers["eta"] is not None,
            "priority": envelope["properties"]["priority"] or 0, "args": args, "embed": embed}


def lists():
    for step in ("", "\x06\x163", "\x06\x166", "\x06\x169"):
        yield "celery" + step


sent = []
publish = app.amqp.send_task_message


def noted(producer, name, message, **options):
    result = publish(producer, name, message, **options)
    for key in lists():
        raw = server.rpop(key)
        if raw:
            sent.append(seen(raw))
    return result


app.amqp.__dict__["send_task_message"] = noted

for number in range(count):
    choose = random.Random(seed * 1_000_003 + number)
    server.flushdb()
    sent.clear()
    signature = canvas(choose, choose.randint(1, 3))
    text = json.dumps(signature)
    result = signature.apply_async()
    sizes, saved = {}, {}
    for key in server.keys("celery-taskset-meta-*"):
        name = key.decode().removeprefix("celery-taskset-meta-")
        if name.endswith(".s"):
            sizes[name[:-2]] = int(server.get(key))
        elif not name.endswith((".c", ".j", ".t", ".d")):
            saved[name] = json.loads(server.get(key))["result"]
    print(json.dumps({"number": number, "signature": json.loads(text), "messages": sent,
                      "sizes": sizes, "saved": saved,
                      "result": json.loads(json.dumps(result.as_tuple()))}))

sys.stdout.flush()
os._exit(0)  # the client's own tidying up fails while the interpreter goes down
