"""What every backend gives: a callable from pictures to restored pictures."""

from abc import ABC, abstractmethod

from torch import Tensor

__all__ = ["Runner"]


class Runner(ABC):
    """A network, ready to run: (B, 3, h, w) float32 in [0, 1] of any size to the same shape.

    Attributes:
        name: of the backend.
        precision: that the network computes in: "float32", "bfloat16" or "float16".
        bytes_per_pixel: memory held at the peak for a pixel of input.
        seconds_per_megapixel: of the last picture that was run, None before the first.
    """

    name: str
    precision: str
    bytes_per_pixel: int
    seconds_per_megapixel: float | None = None

    @abstractmethod
    def __call__(self, image: Tensor) -> Tensor:
        """Restore pictures; the result is float32, on the device of the input."""
