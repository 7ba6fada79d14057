"""Running the service, or a worker alone, until somebody stops it."""

import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from unblur.errors import OutputError
from unblur.service.hall import Hall
from unblur.service.settings import Settings

__all__ = ["listen", "serve", "set_up_log", "work"]

# Seconds after the end of the server, when all is stored and closed: what hangs then is left.
_LAST = 5.0
_OWN = frozenset(vars(logging.makeLogRecord({})))


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": when, "level": record.levelname.lower(), "message": record.getMessage()}
        line |= {k: v for k, v in vars(record).items() if k not in _OWN and k != "color_message"}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up_log(level: str = "info") -> None:
    """Write the log to standard error, as one JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def listen(host: str, port: int) -> socket.socket:
    """Open the port, so that one which is taken is known before anything else begins.

    Raises:
        OutputError: The address is not of this machine, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
        door.listen(512)
    except OSError as error:
        door.close()
        reason = error.strerror or error
        raise OutputError(
            f"cannot listen on {host}, port {port}: {reason}; choose another with --port"
        ) from error
    return door


def serve(settings: Settings, door: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests until SIGTERM or SIGINT.

    The first signal lets running jobs end within the time of grace, while requests for new ones are
    answered with 503; a second one ends at once. What did not end is put back.

    Args:
        settings: of the service.
        door: where to listen.
        ready: is called when requests are answered.
    """
    import uvicorn

    from unblur.service.application import create

    guard = create(settings)
    config = uvicorn.Config(
        guard,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=64 * 1024,
        ws="none",
    )

    class Server(uvicorn.Server):
        """Drains before it closes its doors."""

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

        async def serve(self, sockets: Any = None) -> None:
            await super().serve(sockets)
            end.start()

        def handle_exit(self, *_: Any) -> None:
            if guard.hall.draining:
                self.force_exit = self.should_exit = True
                return
            guard.hall.draining = True
            threading.Thread(target=self._drain, daemon=True).start()

        def _drain(self) -> None:
            guard.hall.drain()
            self.should_exit = True

    end = threading.Timer(_LAST, os._exit, (0,))
    end.daemon = True
    try:
        Server(config).run(sockets=[door])
    finally:
        end.cancel()


def work(settings: Settings, ready: Callable[[], None]) -> None:
    """Work at the jobs of a table that others fill, until SIGTERM or SIGINT."""
    hall, stopped = Hall(settings), threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():  # asked twice: no grace
            for worker in hall.workers:
                worker.stop(hurry=True)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(ValueError):  # not the main thread
            signal.signal(number, stop)
    hall.start()
    ready()
    stopped.wait()
    hall.drain()
    hall.stop()
