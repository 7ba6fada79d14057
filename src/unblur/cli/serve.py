"""`unblur serve`: the page and the REST calls, on this machine or for others."""

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from unblur.cli import options as o
from unblur.cli import serving as s
from unblur.cli.terminal import Failures, tell
from unblur.errors import ParameterError

if TYPE_CHECKING:
    from unblur.service.settings import Settings

__all__ = ["register", "serve"]

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(serve)


def serve(
    host: s.Host = "127.0.0.1",
    port: s.Port = 7860,
    no_ui: s.NoPage = False,
    tokens: s.Tokens = None,
    new_token: s.NewToken = None,
    allow_host: s.AllowHost = None,
    database: s.Database = None,
    store: s.Store = None,
    workers: s.Workers = None,
    cluster: s.Cluster = None,
    queue: s.Queue = None,
    job_memory: s.JobMemory = None,
    job_seconds: s.JobSeconds = 600.0,
    keep: s.Keep = 24.0,
    grace: s.Grace = 20.0,
    max_body: s.MaxBody = "64MiB",
    max_pixels: s.MaxPixels = 50.0,
    device: o.Device = "auto",
    log_level: s.LogLevel = "info",
) -> None:
    """Serve the page and the REST calls.

    It needs nothing else: jobs are kept in a file, pictures in a folder.
    """
    failures = Failures()
    with failures.about("serve"):
        tokens = tokens or os.environ.get("UNBLUR_TOKENS")
        if new_token is not None:
            _add_token(tokens, new_token)
        else:
            _serve(
                s.settings_of(
                    database, store, workers, job_memory=job_memory, job_seconds=job_seconds,
                    keep=keep, grace=grace, device=device, cluster=cluster, queue=queue,
                    page=not no_ui, tokens=_read_tokens(tokens, host),
                    hosts=_hosts(host, allow_host), max_body=max_body, max_pixels=max_pixels,
                ),
                host,
                port,
                log_level,
            )  # fmt: skip
    failures.finish()


def _serve(settings: "Settings", host: str, port: int, log_level: str) -> None:
    from unblur.cli.arguments import check_choice

    check_choice("--log-level", log_level, ("debug", "info", "warning", "error"))
    s.require_extra()
    from unblur.service.serve import listen, set_up_log
    from unblur.service.serve import serve as answer

    set_up_log(log_level)
    door = listen(host, port)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{door.getsockname()[1]}"
    with door:
        answer(settings, door, lambda: tell(f"unblur is at {address} (calls: {address}/docs)"))


def _hosts(host: str, allowed: list[str] | None) -> tuple[str, ...]:
    names = [name.lower() for name in allowed or []]
    return (*_LOOPBACK, *names) if _is_own(host) or names else ()


def _is_own(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_tokens(file: str | None, host: str) -> dict[str, str]:
    """Read names and hashes; an address that others reach is not opened without them."""
    found: dict[str, str] = {}
    if file is not None:
        try:
            lines = Path(file).read_text("utf-8").splitlines()
        except OSError as error:
            raise ParameterError(f"--tokens {file}: {error.strerror or error}") from error
        for line in filter(None, (line.strip() for line in lines)):
            name, _, digest = line.partition(":")
            if not name or len(digest) != 64 or name in found:
                raise ParameterError(f"--tokens {file} must hold lines NAME:SHA256, a name once")
            found[name] = digest.lower()
    if not found and not _is_own(host):
        raise ParameterError(
            f"--host {host} can be reached by others: make a token first, with "
            "--tokens FILE --new-token NAME, and give --tokens FILE"
        )
    return found


def _add_token(file: str | None, name: str) -> None:
    import hashlib
    import secrets

    from unblur.cli.terminal import say

    if file is None:
        raise ParameterError("--new-token adds to a file: name it with --tokens FILE")
    if not name.isidentifier() or len(name) > 64:
        raise ParameterError(f"--new-token takes a name of letters, digits and _, not {name!r}")
    if name in (_read_tokens(file, "localhost") if Path(file).exists() else {}):
        raise ParameterError(f"--new-token {name}: there is one of that name in {file}")
    token = secrets.token_urlsafe(32)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "a", encoding="utf-8") as stream:
        stream.write(f"{name}:{hashlib.sha256(token.encode()).hexdigest()}\n")
    say(token)
    tell(f"this token of {name} is shown only now; {file} holds its hash")
