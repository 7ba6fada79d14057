"""Jobs done on the machines of a Ray cluster, while the worker that answers for them stays here.

Lease, heartbeat and fence are those of the table, as for any worker. What goes to the other machine
is the task and the files of the job, and what comes back is what was made of them, so that table
and files need not be reached from there.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from unblur.jobs.cluster import Cluster
from unblur.service.process import Answer, Child

__all__ = ["Distant", "Member"]

log = logging.getLogger("unblur.service")

_TICK = 0.1
# How long a worker waits at a time for a machine with room, and for a word from the machine at
# work: less than a lease, so that a job comes back before another takes it.
_WAIT = 1.0
_SILENCE = 8.0


class Member:
    """What runs on a machine of the cluster: a child process, with the limits it has here.

    Args:
        memory: bytes that a job may hold.
        threads: for arithmetic.
    """

    def __init__(self, memory: int, threads: int) -> None:
        self._child = Child(memory, threads)
        self._far = ("read", 0.0)
        self._stopped = 0

    def ready(self) -> bool:
        """Start the process."""
        return self._child.warm_up()

    def run(
        self,
        number: int,
        task: Mapping[str, Any],
        given: Mapping[str, bytes],
        seconds: float,
        decode_seconds: float,
    ) -> tuple[Answer, dict[str, bytes]]:
        """Do a task; give what became of it, and the files that were made."""

        def told(stage: str, fraction: float) -> bool:
            self._far = (stage, fraction)
            return self._stopped != number

        self._far = ("read", 0.0)
        with TemporaryDirectory(prefix="unblur-") as folder:
            files, made = Path(folder, "given"), Path(folder, "made")
            _unpack(given, files)
            made.mkdir()
            here = _moved(task, {task.get("made"): str(made), task.get("files"): str(files)})
            answer = self._child.run(
                here, seconds=seconds, decode_seconds=decode_seconds, told=told
            )
            return answer, _packed(made) if answer.made is not None else {}

    def look(self, number: int, *, go_on: bool) -> tuple[str, float]:
        """Tell how far the work is, and hear whether it should go on."""
        if not go_on:
            self._stopped = number
        return self._far


class Distant:
    """A `Child` on whatever machine of the cluster has room.

    Args:
        cluster: that was joined.
        memory: bytes that a job may hold; a machine gets no more of them than it has memory for.
    """

    def __init__(self, cluster: Cluster, memory: int) -> None:
        self._cluster, self._ray, self._memory = cluster, cluster.ray, memory
        self._actor: Any = None
        self._ready: Any = None
        self._number = 0

    def warm_up(self) -> bool:
        """Ask for a place on a machine; False as long as there is none."""
        if self._actor is None:
            # Of the two threads one works, and the other is asked how far it is.
            self._actor = self._cluster.actor(
                Member, self._memory, self._cluster.threads, memory=self._memory, max_concurrency=2
            )
            self._ready = self._actor.ready.remote()
        try:
            if not self._ray.wait([self._ready], timeout=_WAIT)[0]:
                return False
            return bool(self._ray.get(self._ready))
        except self._ray.exceptions.RayError as error:
            log.warning("a machine of the cluster cannot work: %s", error)
            self.end()
            return False

    def run(
        self,
        task: Mapping[str, Any],
        *,
        seconds: float,
        decode_seconds: float,
        told: Callable[[str, float], bool],
    ) -> Answer:
        """Let the machine do `task`; where it is lost, that is not the picture's fault."""
        self._number += 1
        given = _packed(Path(task["files"])) if "files" in task else {}
        try:
            done = self._actor.run.remote(self._number, task, given, seconds, decode_seconds)
            go_on = True
            while not self._ray.wait([done], timeout=_TICK)[0]:
                far = self._actor.look.remote(self._number, go_on=go_on)
                go_on = told(*self._ray.get(far, timeout=_SILENCE))
            answer: Answer
            answer, made = self._ray.get(done)
        except self._ray.exceptions.RayError as error:
            self.end()
            return Answer(code="lost", detail=f"the machine at work was lost: {error}")
        _unpack(made, Path(task.get("made", "")))
        return answer

    def end(self) -> None:
        """Give the place back."""
        actor, self._actor = self._actor, None
        if actor is not None:
            self._ray.kill(actor)


def _packed(folder: Path) -> dict[str, bytes]:
    """Read all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _unpack(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _moved(value: Any, folders: Mapping[str | None, str]) -> Any:
    """Put other folders in the place of those that texts begin with; the first that fits counts."""
    if isinstance(value, Mapping):
        return {_moved(key, folders): _moved(each, folders) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_moved(each, folders) for each in value]
    if isinstance(value, str):
        for old, new in folders.items():
            if old is not None and (value == old or value.startswith(f"{old}/")):
                return new + value.removeprefix(old)
    return value
