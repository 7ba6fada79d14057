"""Backends that prepare a graph for each size of picture, and keep those of the last sizes."""

import copy
import threading
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from unblur.nets.autoencoder import Autoencoder
from unblur.nets.export import Tile
from unblur.nets.network import Network
from unblur.nets.runtime.runner import Runner

__all__ = ["Compiled", "SizedRunner"]

Compiled = Callable[[np.ndarray], np.ndarray]

# Tiles of a picture have one size inside, others at its right and lower border and in the corner.
_KEPT = 4


class SizedRunner(Runner):
    """A runner whose graphs have fixed sizes.

    They are quicker than graphs for any size, and take what a network decides by the size of its
    input as it was decided when they were made.

    Args:
        network: with its weights; copied.
    """

    def __init__(self, network: Network) -> None:
        self.network: nn.Module = copy.deepcopy(network).eval()
        self.tiled: Autoencoder | None = None
        if isinstance(network, Autoencoder):
            # Its layers are the graph, not the hundreds of tiles of a picture.
            self.tiled = copy.copy(network)
            self.tiled.forward_tile = self._restore  # type: ignore[method-assign]
            self.network = Tile(copy.deepcopy(network))
        self.graphs: OrderedDict[tuple[int, ...], Compiled] = OrderedDict()
        self.lock = threading.Lock()

    @abstractmethod
    def _compile(self, example: Tensor) -> Compiled:
        """Prepare a graph for pictures of the example's shape; it may be called by many threads."""

    def _run(self, image: Tensor) -> Tensor:
        if self.tiled is None:
            return self._restore(image)
        with torch.inference_mode():
            return self.tiled.forward(image.cpu())

    def _restore(self, image: Tensor) -> Tensor:
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
