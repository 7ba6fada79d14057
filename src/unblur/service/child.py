"""The process in which pictures are decoded and restored; whatever they do, they do it here.

It reads tasks and writes messages as JSON through two pipes: no message can carry code. It ends
when the other end of its pipe closes, so that none outlives its worker.
"""

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from unblur.errors import Cancelled, UnblurError
from unblur.service.problems import code_of

__all__ = ["main"]

# More often nobody looks.
_PAUSE = 0.1


class _Pipe:
    """Messages to and from the worker."""

    def __init__(self, tasks: IO[bytes], answers: IO[bytes]) -> None:
        self._tasks, self._answers = tasks, answers
        self._lock = threading.Lock()
        self._ready = threading.Condition()
        self._waiting: list[dict[str, Any]] = []
        self.cancelled = threading.Event()

    def listen(self) -> None:
        """Take what comes, also during the work; leave when nobody is there any more."""
        for line in self._tasks:
            message = json.loads(line)
            if message["do"] == "cancel":
                self.cancelled.set()
                continue
            with self._ready:
                self._waiting.append(message)
                self._ready.notify()
        os._exit(0)

    def next(self) -> dict[str, Any]:
        """Wait for a task."""
        with self._ready:
            self._ready.wait_for(lambda: self._waiting)
            self.cancelled.clear()
            return self._waiting.pop(0)

    def say(self, message: Mapping[str, Any]) -> None:
        """Send one message."""
        with self._lock:
            self._answers.write(json.dumps(message, allow_nan=False).encode() + b"\n")
            self._answers.flush()


class _Reporter:
    """Sends progress, not too often, and stops the work where it was cancelled."""

    def __init__(self, pipe: _Pipe) -> None:
        self.pipe, self.last, self.stage = pipe, 0.0, ""

    def __call__(self, stage: str, fraction: float) -> None:
        if self.pipe.cancelled.is_set():
            raise Cancelled("the job was cancelled")
        now = time.monotonic()
        if stage != self.stage or now - self.last >= _PAUSE:
            self.pipe.say({"progress": [stage, fraction]})
            self.stage, self.last = stage, now


def main(tasks: int, answers: int, threads: int) -> None:
    """Serve tasks that come through the descriptor `tasks`, with `threads` for arithmetic."""
    pipe = _Pipe(os.fdopen(tasks, "rb"), os.fdopen(answers, "wb"))
    threading.Thread(target=pipe.listen, daemon=True).start()
    import torch

    from unblur.jobs.warm import Warm
    from unblur.service import work

    if threads > 0:
        torch.set_num_threads(threads)
    warm = Warm()
    pipe.say({"ready": os.getpid()})
    while True:
        task = pipe.next()
        try:
            made = work.DOING[task["do"]](task, _Reporter(pipe), warm)
        except Exception as error:  # noqa: BLE001 - the boundary: the worker is told in words
            pipe.say({"failed": _fault(error, task)})
        else:
            pipe.say({"done": made})


def _fault(error: Exception, task: Mapping[str, Any]) -> dict[str, str]:
    """Say what went wrong, without the paths of this machine."""
    if isinstance(error, UnblurError):
        text = str(error) or type(error).__name__
    elif isinstance(error, MemoryError):
        text = "the memory of a job is not enough for this picture"
    else:
        traceback.print_exception(error)
        text = "something went wrong that should not have; the operator's log has the details"
    for path, name in task.get("names", {}).items():
        text = text.replace(path, name)
    for folder in (task.get("files"), task.get("made")):
        if folder:
            text = text.replace(str(Path(folder)) + os.sep, "")
    return {"code": code_of(error), "detail": text}


if __name__ == "__main__":
    # Libraries print to standard output; the answers keep a descriptor of their own.
    channel = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    main(os.dup(0), channel, int(sys.argv[1]))
