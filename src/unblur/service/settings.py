"""What an operator may set, with defaults that suit one machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Limits", "Settings", "home"]

_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one request may cost.

    Attributes:
        body: bytes of a request.
        pixels: of a picture, checked from its header.
        frames: of a picture.
        decode_seconds: until the picture must be decoded.
        job_seconds: until a job must be done.
        job_memory: bytes that the process of a job may hold.
        crashes: how often a job may kill its process.
        attempts: how often a job is begun at all, machines that died under it included.
        quick_body: bytes of a picture for an answer in the same request.
        quick_pixels: of a picture for an answer in the same request.
        quick_seconds: after which such a request is answered with the job instead.
        watchers: requests that may follow jobs at once.
    """

    body: int = 64 * _MIB
    pixels: int = 50_000_000
    frames: int = 1
    decode_seconds: float = 30.0
    job_seconds: float = 600.0
    job_memory: int = 4096 * _MIB
    crashes: int = 3
    attempts: int = 10
    quick_body: int = 16 * _MIB
    quick_pixels: int = 4_000_000
    quick_seconds: float = 60.0
    watchers: int = 200


@dataclass(frozen=True)
class Settings:
    """How the service runs.

    Attributes:
        database: URL of the table of jobs, as SQLAlchemy takes it.
        store: folder or URL (such as "s3://bucket/prefix") of the files.
        workers: jobs that this process runs at once; 0 leaves them to `unblur worker`.
        queue: jobs that may wait; None: twice the workers that are alive.
        tokens: name of a user to the SHA-256 of the token, in hexadecimal; none: everybody may.
        hosts: names under which browsers may reach the service; none: any.
        keep: seconds for which results are kept.
        grace: seconds that running jobs get when the service is stopped.
        lease: seconds after which a worker that says nothing is taken for dead.
        device: where to compute.
        cluster: address of the Ray cluster that does the jobs; None: this machine does.
        page: whether the page is served.
        limits: of one request.
    """

    database: str
    store: str
    workers: int = 1
    queue: int | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    keep: float = 86_400.0
    grace: float = 20.0
    lease: float = 20.0
    device: str = "auto"
    cluster: str | None = None
    page: bool = True
    limits: Limits = Limits()


def home() -> Path:
    """Give the folder of the service's data: below $UNBLUR_HOME, or ~/.local/share/unblur.

    Example:
        >>> home().name
        'service'
    """
    named = os.environ.get("UNBLUR_HOME")
    shared = os.environ.get("XDG_DATA_HOME", "")
    base = Path(shared) if os.path.isabs(shared) else Path("~/.local/share").expanduser()
    return (Path(named).expanduser() if named else base / "unblur") / "service"
