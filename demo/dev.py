"""`make dev`: everything left running, with a page on how to use it."""

from __future__ import annotations

import time

from demo.display import Display
from demo.seed import Seeded
from demo.world import GATEWAY_KEY, ROOT, World

_LOOK = 0.5  # seconds between two looks at the processes

_PAGE = """
  Redis       {redis}
  PostgreSQL  {database}
  gateway     {gateway}            its books: {gateway}/_books
  receiver    {receiver}            its tally: {receiver}/_tally
  logs        {logs}

  In another terminal:

    export REDIS_URL='{redis}'
    export DATABASE_URL='{database}'
    export BACKHAUL_PAYMENTS_GATEWAY_URL='{gateway}'
    export BACKHAUL_PAYMENTS_API_KEY='{key}'
    export BACKHAUL_HTTP_ALLOW='127.0.0.0/8'
    cd {root}

  Send work from Python Celery:

    .run/venv/bin/python - <<'PYTHON'
    import os
    from celery import Celery
    app = Celery("isp_framework", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
    result = app.send_task("isp_framework.process_service_provisioning", args=[{service}],
                           queue="provisioning")
    print(result.get(timeout=10))
    PYTHON

  Send work from the command line, and look around:

    {binary} enqueue payments.charge_invoice --args '[{invoice}]'
    {binary} dead list
    {binary} quarantine list
    {binary} doctor
    psql "$DATABASE_URL" -c 'select status, count(*) from services group by 1'
    tail -f {logs}/worker-1.log

  Services {services} are waiting to be switched on, invoices {invoices} to be collected.
  Ctrl-C ends everything and removes it.
"""


def serve(world: World, seeded: Seeded, display: Display) -> None:
    """Prints how to use what runs, and stays until Ctrl-C."""
    display.heading("Running")
    binary = world.binary
    print(
        _PAGE.format(
            redis=world.sandbox.redis_url,
            database=world.sandbox.database_url,
            gateway=world.gateway_url,
            receiver=world.receiver_url,
            key=GATEWAY_KEY,
            logs=world.sandbox.logs,
            root=ROOT,
            binary=binary.relative_to(ROOT) if binary.is_relative_to(ROOT) else binary,
            service=seeded.pending_services[0],
            invoice=seeded.invoices[0],
            services=f"{seeded.pending_services[0]}-{seeded.pending_services[-1]}",
            invoices=f"{seeded.invoices[0]}-{seeded.invoices[-1]}",
        ),
        flush=True,
    )
    told: set[str] = set()
    while True:
        for child in world.fallen():
            if child.name not in told:
                told.add(child.name)
                display.trouble(
                    f"{child.name} ended with status {child.exit_status}", child.tail(5)
                )
        time.sleep(_LOOK)
