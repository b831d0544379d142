"""pytest plugin: lets Celery's own integration tests be served by an EXTERNAL worker process.

Load it with ``-p foreign_worker`` *before* Celery's conftest is imported
(``-p`` plugins always are).  Celery's ``t/integration/conftest.py`` does
``from celery.contrib.pytest import celery_session_worker``; this plugin replaces that
attribute first, so no file of Celery's test tree has to be touched.

Environment
-----------
FOREIGN_WORKER_CMD   shell command that starts the worker (``exec`` it, see below).
                     Empty = somebody else starts it; the plugin only waits for the ping.
FOREIGN_WORKER_LOG   file receiving the worker's stdout+stderr (default: foreign-worker.log)
FOREIGN_WORKER_PING  seconds to wait for the first pong (default 30)
FOREIGN_REPORT       file that receives the outcome of each test as JSON: {outcome: [node ids]}
FOREIGN_SKIP         file with lines ``<nodeid substring><TAB><reason>`` of tests that
                     cannot run against an external process (default: out-of-scope.txt
                     beside this plugin).  ``FOREIGN_SKIP=`` (empty) disables skipping.

The worker command gets these variables:
    FW_BROKER, FW_BACKEND   URLs (same as TEST_BROKER / TEST_BACKEND)
    FW_NODENAME             node name it MUST answer pidbox commands with
    FW_CONCURRENCY          "1" (tests assert max-concurrency == 1)
    FW_CONF                 JSON object: the suite's Celery configuration
"""
import json
import os
import signal
import subprocess
import time

import pytest

import celery.contrib.pytest as celery_fixtures
from celery.contrib.testing.app import DEFAULT_TEST_CONFIG
from celery.utils.nodenames import anon_nodename

HERE = os.path.dirname(os.path.abspath(__file__))
PING_TIMEOUT = float(os.environ.get('FOREIGN_WORKER_PING', '30'))


def _die_with_pytest():
    # Linux: a killed pytest must not leave its worker behind (a second worker answers pings).
    try:
        import ctypes
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)          # PR_SET_PDEATHSIG
    except Exception:
        pass


class ForeignWorker:
    """What the session fixture yields instead of a WorkController."""

    def __init__(self, nodename, process):
        self.hostname = nodename
        self.process = process

    @property
    def pid(self):
        return self.process.pid if self.process else None


def _conf_as_json(suite_config):
    # The in-process worker would see TestApp's defaults plus the suite's celery_config.
    merged = dict(DEFAULT_TEST_CONFIG, **suite_config)
    merged = {k: sorted(v) if isinstance(v, (set, frozenset)) else v for k, v in merged.items()}
    return json.dumps({k: v for k, v in merged.items()
                       if isinstance(v, (str, int, float, bool, list, dict, type(None)))})


@pytest.fixture(scope='session')
def celery_session_worker(request, celery_session_app, celery_config, celery_includes,
                          celery_class_tasks):
    app = celery_session_app
    # The client half of what celery.contrib.testing.worker does.
    for module in celery_includes:
        app.loader.import_task_module(module)
    for class_task in celery_class_tasks:
        app.register_task(class_task)
    app.finalize()
    app.set_current()
    app.set_default()

    nodename = anon_nodename()          # test_inspect expects gen<pytest pid>@<host>
    command = os.environ.get('FOREIGN_WORKER_CMD', '')
    process = None
    if command:
        env = dict(os.environ,
                   FW_BROKER=app.conf.broker_url or '',
                   FW_BACKEND=app.conf.result_backend or '',
                   FW_NODENAME=nodename,
                   FW_CONCURRENCY='1',
                   FW_CONF=_conf_as_json(celery_config))
        log = open(os.environ.get('FOREIGN_WORKER_LOG', 'foreign-worker.log'), 'ab')
        process = subprocess.Popen(command, shell=True, env=env, stdout=log, stderr=log,
                                   start_new_session=True, preexec_fn=_die_with_pytest)
    deadline = time.monotonic() + PING_TIMEOUT
    while True:
        if process and process.poll() is not None:
            pytest.exit(f'foreign worker exited early with status {process.returncode}')
        replies = app.control.ping(destination=[nodename], timeout=0.5)
        if any(nodename in reply for reply in replies):
            break
        if time.monotonic() > deadline:
            pytest.exit(f'no pong from {nodename} within {PING_TIMEOUT}s')
    try:
        yield ForeignWorker(nodename, process)
    finally:
        if process:
            process.send_signal(signal.SIGTERM)      # warm shutdown
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)


# Must happen at import time, i.e. before t/integration/conftest.py is imported.
celery_fixtures.celery_session_worker = celery_session_worker


def _read_skips():
    path = os.environ.get('FOREIGN_SKIP', os.path.join(HERE, 'out-of-scope.txt'))
    if not path or not os.path.exists(path):
        return []
    skips = []
    with open(path) as handle:
        for line in handle:
            line = line.rstrip('\n')
            if line and not line.startswith('#'):
                pattern, _, reason = line.partition('\t')
                skips.append((pattern, reason.strip() or 'out of scope'))
    return skips


def pytest_collection_modifyitems(config, items):
    skips = _read_skips()
    for item in items:
        for pattern, reason in skips:
            if pattern in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=f'foreign worker: {reason}'))
                break


def pytest_terminal_summary(terminalreporter):
    path = os.environ.get('FOREIGN_REPORT')
    if not path:
        return
    outcomes = {}
    for outcome, reports in terminalreporter.stats.items():
        ids = [report.nodeid for report in reports if hasattr(report, 'nodeid')]
        if outcome and ids:
            outcomes[outcome] = ids
    with open(path, 'w') as handle:
        json.dump(outcomes, handle)
