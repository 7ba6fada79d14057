"""What `unblur serve` and `unblur worker` share: their options, and the settings they make."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from unblur.service.settings import Settings

__all__ = [
    "AllowHost",
    "Cluster",
    "Database",
    "Grace",
    "Host",
    "JobMemory",
    "JobSeconds",
    "Keep",
    "LogLevel",
    "MaxBody",
    "MaxPixels",
    "NewToken",
    "NoPage",
    "Port",
    "Queue",
    "Store",
    "Tokens",
    "Workers",
    "require_extra",
    "settings_of",
]

_JOBS = "Jobs"
_ACCESS = "Access"

Host = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Others than this machine's own need --tokens.",
        rich_help_panel=_ACCESS,
    ),
]
Port = Annotated[
    int,
    typer.Option(
        min=0, max=65535, metavar="N", help="0 takes a free one.", rich_help_panel=_ACCESS
    ),
]
Tokens = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Who may: lines NAME:SHA256, as --new-token adds them. $UNBLUR_TOKENS if not given.",
        rich_help_panel=_ACCESS,
    ),
]
NewToken = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Add a token for NAME to the file of --tokens, print it once, and end.",
        rich_help_panel=_ACCESS,
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A name under which browsers reach the service; may be repeated.",
        rich_help_panel=_ACCESS,
    ),
]
NoPage = Annotated[
    bool, typer.Option("--no-ui", metavar="", help="The REST calls only.", rich_help_panel=_ACCESS)
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Table of jobs: sqlite:///FILE or postgresql://...; or $UNBLUR_DATABASE.",
        rich_help_panel=_JOBS,
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|URL",
        help="Files of jobs: a folder, or s3://bucket/prefix; or $UNBLUR_STORE.",
        rich_help_panel=_JOBS,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Jobs at once; 0 leaves them to `unblur worker`. Half the cores if not given.",
        rich_help_panel=_JOBS,
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="auto|ADDRESS",
        help="Have the jobs done on a Ray cluster, one at once for each GPU or core of it.",
        rich_help_panel=_JOBS,
    ),
]
Queue = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Jobs that may wait; twice the workers if not given.",
        rich_help_panel=_JOBS,
    ),
]
JobMemory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory of one job, such as 4GB.", rich_help_panel=_JOBS),
]
JobSeconds = Annotated[
    float, typer.Option(min=1, metavar="SECONDS", help="Time of one job.", rich_help_panel=_JOBS)
]
Keep = Annotated[
    float,
    typer.Option(
        min=0.01, metavar="HOURS", help="How long results are kept.", rich_help_panel=_JOBS
    ),
]
Grace = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="What running jobs get when the service stops.",
        rich_help_panel=_JOBS,
    ),
]
MaxBody = Annotated[str, typer.Option(metavar="SIZE", help="Of a request.", rich_help_panel=_JOBS)]
MaxPixels = Annotated[
    float, typer.Option(min=0.01, metavar="MEGAPIXELS", help="Of a picture.", rich_help_panel=_JOBS)
]
LogLevel = Annotated[
    str, typer.Option(metavar="debug|info|warning|error", help="What goes to the log.")
]


def require_extra() -> None:
    """Ask for the packages of the extra.

    Raises:
        MissingDependency: One is not installed.
    """
    from unblur.errors import MissingDependency

    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import sqlalchemy  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"the service needs {error.name}; pip install 'unblur[serve]'"
        ) from error


def settings_of(
    database: str | None,
    store: str | None,
    workers: int | None,
    *,
    job_memory: str | None,
    job_seconds: float,
    keep: float,
    grace: float,
    device: str,
    cluster: str | None = None,
    queue: int | None = None,
    page: bool = False,
    tokens: dict[str, str] | None = None,
    hosts: tuple[str, ...] = (),
    max_body: str = "64MiB",
    max_pixels: float = 50.0,
) -> "Settings":
    """Make the settings of what the command line says."""
    from unblur.restore.checks import check_device
    from unblur.restore.memory import budget
    from unblur.service.settings import Limits, Settings, home

    folder = home()
    database = database or os.environ.get("UNBLUR_DATABASE")
    store = store or os.environ.get("UNBLUR_STORE")
    if database is None or store is None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if cluster is None:
        check_device(device)
        count = max(1, (os.cpu_count() or 1) // 2) if workers is None else workers
        # Half of what is free, shared by the workers.
        memory = budget(None) // max(1, count)
    else:
        from unblur.jobs.cluster import Cluster as Joined

        count = Joined(cluster, device=device).count if workers is None else workers
        memory = Limits.job_memory
    if job_memory is not None:
        memory = _bytes("--job-memory", job_memory)
    return Settings(
        database=database or f"sqlite:///{folder / 'jobs.sqlite'}",
        store=store or str(folder / "files"),
        workers=count,
        queue=queue,
        tokens=tokens or {},
        hosts=hosts,
        keep=3600.0 * keep,
        grace=grace,
        device=device,
        cluster=cluster,
        page=page,
        limits=Limits(
            body=_bytes("--max-body", max_body),
            pixels=int(1e6 * max_pixels),
            job_seconds=job_seconds,
            job_memory=memory,
        ),
    )


def _bytes(option: str, text: str) -> int:
    from unblur.errors import ParameterError
    from unblur.restore.memory import parse_bytes

    try:
        return parse_bytes(text)
    except ParameterError:
        raise ParameterError(
            f"{option} must be a number of bytes or a text such as '64MiB', got {text!r}"
        ) from None
