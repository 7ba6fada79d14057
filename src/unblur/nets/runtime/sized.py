"""Backends that prepare a graph for each size of picture, and keep those of the last sizes."""

import threading
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from unblur.nets.runtime.runner import Runner

__all__ = ["Compiled", "SizedRunner"]

Compiled = Callable[[np.ndarray], np.ndarray]

# Tiles of a picture have one size inside, others at its right and lower border and in the corner.
_KEPT = 4


class SizedRunner(Runner):
    """A runner whose graphs have fixed sizes.

    They are quicker than graphs for any size, and take what a network decides by the size of its
    input as it was decided when they were made.
    """

    def __init__(self) -> None:
        self.graphs: OrderedDict[tuple[int, ...], Compiled] = OrderedDict()
        self.lock = threading.Lock()

    @abstractmethod
    def _compile(self, example: Tensor) -> Compiled:
        """Prepare a graph for pictures of the example's shape; it may be called by many threads."""

    def _run(self, image: Tensor) -> Tensor:
        given = image.detach().cpu().contiguous()
        return torch.from_numpy(self._graph(given)(given.numpy()))

    def _graph(self, example: Tensor) -> Compiled:
        shape = tuple(example.shape)
        with self.lock:
            if shape not in self.graphs:
                while len(self.graphs) >= _KEPT:
                    self.graphs.popitem(last=False)
                self.graphs[shape] = self._compile(example)
            self.graphs.move_to_end(shape)
            return self.graphs[shape]
