"""Celery's own integration tests, run against a worker of ours: `make celery-suite`."""
