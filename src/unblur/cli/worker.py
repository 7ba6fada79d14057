"""`unblur worker`: more hands for a service, on this machine or another."""

import typer

from unblur.cli import options as o
from unblur.cli import serving as s
from unblur.cli.terminal import Failures, tell

__all__ = ["register", "worker"]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(worker)


def worker(
    database: s.Database = None,
    store: s.Store = None,
    workers: s.Workers = None,
    cluster: s.Cluster = None,
    job_memory: s.JobMemory = None,
    job_seconds: s.JobSeconds = 600.0,
    keep: s.Keep = 24.0,
    grace: s.Grace = 20.0,
    device: o.Device = "auto",
    log_level: s.LogLevel = "info",
) -> None:
    """Do the jobs of a service with the same --database and --store."""
    failures = Failures()
    with failures.about("worker"):
        s.require_extra()
        settings = s.settings_of(
            database, store, workers, job_memory=job_memory, job_seconds=job_seconds, keep=keep,
            grace=grace, device=device, cluster=cluster,
        )  # fmt: skip
        from unblur.service.serve import set_up_log, work

        set_up_log(log_level)
        noun = "job" if settings.workers == 1 else "jobs"
        work(settings, lambda: tell(f"unblur works at {settings.workers} {noun} at once"))
    failures.finish()
