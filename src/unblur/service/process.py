"""A child process at hand: one task at a time, within limits of time and memory."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import psutil

__all__ = ["Answer", "Child", "Hands"]

# How often limits are looked at, and how long a child may take to come up.
_TICK = 0.1
_START_SECONDS = 120.0
# How long a child may take to notice by itself that its task was cancelled.
_PATIENCE = 2.0
# A child that held so much of its limit, or did so many tasks, is not kept: memory that libraries
# do not give back would add up.
_SHARE_KEPT = 0.5
_TASKS_KEPT = 200


class Answer:
    """What became of a task: `made`, or `code` and `detail` of what went wrong."""

    def __init__(
        self,
        *,
        made: Mapping[str, Any] | None = None,
        code: str | None = None,
        detail: str = "",
        stopped: bool = False,
    ) -> None:
        self.made, self.code, self.detail, self.stopped = made, code, detail, stopped


class Hands(Protocol):
    """What a worker has its jobs done by."""

    def warm_up(self) -> bool:
        """Make ready to work; False where that takes longer, and is to be asked again."""
        ...

    def run(
        self,
        task: Mapping[str, Any],
        *,
        seconds: float,
        decode_seconds: float,
        told: Callable[[str, float], bool],
    ) -> Answer:
        """Do `task`; `told` hears the stage and the fraction all the while, and False stops it."""
        ...

    def end(self) -> None:
        """Let go of what is at hand."""
        ...


class Child:
    """Starts the process when it is needed, ends it when it must go, keeps it warm in between.

    Args:
        memory: bytes that it may hold.
        threads: for arithmetic; 0 leaves it to PyTorch.
    """

    def __init__(self, memory: int, threads: int = 0) -> None:
        self.memory, self.threads = memory, threads
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._tasks = 0
        self.started = 0

    def warm_up(self) -> bool:
        """Start the process, if none is at hand, and wait until it can work.

        Raises:
            TimeoutError: It does not come up.
        """
        if self._process is not None and self._process.poll() is None:
            return True
        self.end()
        package = str(Path(__file__).parents[2])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        # -P: nothing is imported from the folder in which the service happens to run.
        words = [sys.executable, "-P", "-m", "unblur.service.child", str(self.threads)]
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # a Ctrl-C at the terminal is for the worker to handle
        )
        self.started, self._tasks, self._messages = self.started + 1, 0, SimpleQueue()
        threading.Thread(target=_listen, args=(self._process, self._messages), daemon=True).start()
        until = time.monotonic() + _START_SECONDS
        while (message := self._next()) is not _NOTHING:
            if message is None:
                raise TimeoutError("the process for jobs does not start")
            if "ready" in message:
                return True
            if time.monotonic() > until:
                break
        self.end()
        raise TimeoutError("the process for jobs does not start")

    def _next(self, seconds: float = _START_SECONDS) -> dict[str, Any] | None:
        try:
            return self._messages.get(timeout=seconds)
        except Empty:
            return _NOTHING

    def run(
        self,
        task: Mapping[str, Any],
        *,
        seconds: float,
        decode_seconds: float,
        told: Callable[[str, float], bool],
    ) -> Answer:
        """Let the child do `task`.

        Args:
            task: ready for JSON; "do" says which of `work.DOING`.
            seconds: until it must be done.
            decode_seconds: until it must have left the stage "read".
            told: is called all the while with the latest stage and fraction; False stops the work.
        """
        try:
            self.warm_up()
            self._send(task)
        except OSError as error:
            self.end()
            return Answer(code="crashed", detail=f"the process for jobs failed: {error}")
        start = time.monotonic()
        stage, fraction = "read", 0.0
        while True:
            message = self._next(_TICK)
            if message is None:
                return self._died()
            if "progress" in message:
                stage, fraction = message["progress"]
            elif "done" in message or "failed" in message:
                return self._finished(message)
            if not told(stage, fraction):
                return self._stop()
            fault = self._fault(time.monotonic() - start, stage, seconds, decode_seconds)
            if fault is not None:
                self.end()
                return fault

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._process is None or self._process.stdin is None:
            raise BrokenPipeError("there is no process")
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _fault(
        self, passed: float, stage: str, seconds: float, decode_seconds: float
    ) -> Answer | None:
        if passed > seconds:
            text = f"the job took longer than {seconds:g} seconds: try a smaller picture or region"
            return Answer(code="job_time", detail=text)
        if stage == "read" and passed > decode_seconds:
            text = f"the picture could not be decoded within {decode_seconds:g} seconds"
            return Answer(code="decode_time", detail=text)
        if self._held() > self.memory:
            text = f"the job needed more than {self.memory >> 20} MiB: try a smaller picture"
            return Answer(code="memory_limit", detail=text)
        return None

    def _held(self) -> int:
        if self._process is None:
            return 0
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def _finished(self, message: Mapping[str, Any]) -> Answer:
        self._tasks += 1
        if self._held() > _SHARE_KEPT * self.memory or self._tasks >= _TASKS_KEPT:
            self.end()
        if "done" in message:
            return Answer(made=message["done"])
        return Answer(code=message["failed"]["code"], detail=message["failed"]["detail"])

    def _died(self) -> Answer:
        code = self._process.wait() if self._process is not None else 0
        self.end()
        why = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return Answer(code="crashed", detail=f"the process of the job died ({why})")

    def _stop(self) -> Answer:
        """Ask the child to stop, so that it stays warm; end it where it does not listen."""
        until = time.monotonic() + _PATIENCE
        with suppress(OSError):
            self._send({"do": "cancel"})
        while (left := until - time.monotonic()) > 0:
            message = self._next(left)
            if message is None:
                break
            if "done" in message or "failed" in message:
                return Answer(code="cancelled", detail="the job was cancelled", stopped=True)
        self.end()
        return Answer(code="cancelled", detail="the job was cancelled", stopped=True)

    def end(self) -> None:
        """End the process at once, and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


_NOTHING: dict[str, Any] = {}


def _listen(
    process: "subprocess.Popen[bytes]", messages: "SimpleQueue[dict[str, Any] | None]"
) -> None:
    """Pass on what the child says; None when it says no more."""
    if process.stdout is not None:
        with suppress(OSError, ValueError):
            for line in process.stdout:
                messages.put(json.loads(line))
    messages.put(None)
