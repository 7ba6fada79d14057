"""What every backend gives: a callable from pictures to restored pictures."""

import time
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from unblur.errors import ParameterError

__all__ = ["Runner"]


class Runner(ABC):
    """A network, ready to run: (B, 3, h, w) float32 in [0, 1] of any size to the same shape.

    Attributes:
        name: of the backend.
        precision: that the network computes in: "float32", "bfloat16" or "float16".
        bytes_per_pixel: memory held at the peak for a pixel of input.
        seconds_per_megapixel: of the last pictures that were run, None before the first. The first
            of a size may take longer than those that follow.
    """

    name: str
    precision: str
    bytes_per_pixel: int
    seconds_per_megapixel: float | None = None

    def __call__(self, image: Tensor) -> Tensor:
        """Restore pictures.

        Returns:
            (B, 3, h, w) float32 on the device of `image`, not clipped to [0, 1].

        Raises:
            ParameterError: These are no pictures.
        """
        if image.ndim != 4 or image.shape[1] != 3 or not image.numel():
            raise ParameterError(f"image must be (B, 3, h, w), got {tuple(image.shape)}")
        started = time.perf_counter()
        restored = image.new_empty(image.shape, dtype=torch.float32)
        restored.copy_(self._run(image.float()))
        if image.is_cuda:
            torch.cuda.synchronize(image.device)
        megapixels = image.numel() / 3e6
        self.seconds_per_megapixel = (time.perf_counter() - started) / megapixels
        return restored

    @abstractmethod
    def _run(self, image: Tensor) -> Tensor:
        """Restore pictures; the result may be on any device."""
