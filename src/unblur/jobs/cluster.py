"""A cluster of Ray: joined, counted, and given actors that stay where they are.

Ray says where an actor runs and when it is lost. That each picture is done, and once, is the matter
of whoever gives out the work.
"""

import logging
import socket
from typing import Any

from unblur.errors import MissingDependency, ParameterError

__all__ = ["Cluster"]

_SECONDS = 10.0


class Cluster:
    """A cluster that this process has joined, divided among actors: one a GPU, or one a core.

    Args:
        address: of the cluster; "auto" finds the one that this machine belongs to.
        jobs: number of actors; otherwise one for each GPU or core there is.
        device: "cpu" leaves GPUs alone.

    Attributes:
        ray: the library.
        count: number of actors.
        threads: of each: more than one where there are more cores than actors, on any machine.

    Raises:
        MissingDependency: Ray is not installed.
        ParameterError: There is no such cluster.
    """

    def __init__(self, address: str, jobs: int | None = None, *, device: str = "auto") -> None:
        self.ray = _joined(address)
        machines = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        cores = int(sum(each.get("CPU", 0) for each in machines))
        largest = max((each.get("CPU", 0) for each in machines), default=0)
        self._gpus = 0 if device == "cpu" else int(sum(each.get("GPU", 0) for each in machines))
        self.count = jobs or self._gpus or max(cores, 1)
        self.threads = max(1, int(min(cores // self.count, largest)))

    def actor(self, kind: type, *arguments: object, **options: Any) -> Any:
        """Ask for an actor, which is there once a machine has room for it.

        Args:
            kind: class of the actor.
            arguments: of the class.
            options: further ones of Ray's.
        """
        placed = self.ray.remote(kind).options(
            num_cpus=self.threads,
            num_gpus=1 if self._gpus else 0,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
            **options,
        )
        return placed.remote(*arguments)


def _joined(address: str) -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise MissingDependency("--cluster needs Ray; pip install 'unblur[cluster]'") from error
    if not ray.is_initialized():
        try:
            _knock(address)
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError, RuntimeError) as error:
            raise ParameterError(
                f"there is no Ray cluster at {address!r} ({error}): `ray start --head` begins one"
            ) from error
    return ray


def _knock(address: str) -> None:
    """Find out within seconds that nobody is there; Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        with socket.create_connection((host, int(port)), timeout=_SECONDS):
            pass
