"""Running networks: the same pictures from every backend, as fast as the machine allows."""

from unblur.nets.runtime.runner import Runner
from unblur.nets.runtime.starting import BACKENDS, PRECISIONS, Backend, Precision, start

__all__ = ["BACKENDS", "PRECISIONS", "Backend", "Precision", "Runner", "start"]
