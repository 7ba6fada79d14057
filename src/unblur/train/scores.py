"""What validation measures, by name."""

from collections.abc import Callable, Mapping

from torch import Tensor

from unblur.metrics import psnr, ssim

__all__ = ["SCORES", "dominant_channel_accuracy"]

# Of pictures that agree to the last bit, so that a mean over pictures stays a number.
_HIGHEST = 100.0


def dominant_channel_accuracy(image: Tensor, target: Tensor) -> Tensor:
    """The share of pixels whose largest channel is the same one; the first where several are.

    It says nothing about sharpness: a picture of the right hues scores high however blurred it is.
    Keras computes this under the name `acc` for pictures trained with the mean squared error.

    Args:
        image: (B, C, H, W).
        target: the truth, of the same shape.

    Returns:
        (B,) in [0, 1].

    Source:
        `CategoricalAccuracy` of Keras, which "acc" stands for where the last axis has several
        entries.

    Example:
        >>> import torch
        >>> red = torch.tensor([0.9, 0.1, 0.2]).reshape(1, 3, 1, 1).expand(1, 3, 1, 2)
        >>> half = red.clone()
        >>> half[0, 2, 0, 1] = 1
        >>> dominant_channel_accuracy(half, red)
        tensor([0.5000])
    """
    return (image.argmax(1) == target.argmax(1)).float().mean((1, 2))


def _psnr(image: Tensor, target: Tensor) -> Tensor:
    return psnr(image, target).clamp(max=_HIGHEST)


# Each gives (B,) for pictures clipped to [0, 1].
SCORES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "psnr": _psnr,
    "ssim": ssim,
    "dominant-channel-accuracy": dominant_channel_accuracy,
}
