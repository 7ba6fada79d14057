"""What training minimises, by name."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, l1_loss, mse_loss, pad

from unblur.errors import ParameterError

__all__ = ["LOSSES", "charbonnier", "edge", "multi_level", "negative_psnr"]

_EPS = 1e-3
_EDGE_WEIGHT = 0.05


def charbonnier(output: Tensor, truth: Tensor) -> Tensor:
    """The mean of sqrt((output - truth)^2 + 1e-6): like the absolute error, and smooth at 0.

    Source:
        The constant is of Zamir et al., Multi-Stage Progressive Image Restoration, 2021, eq. 3.

    Example:
        >>> charbonnier(torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3, 2, 2), 0.1))
        tensor(0.4000)
    """
    return ((output - truth).square() + _EPS**2).sqrt().mean()


def edge(output: Tensor, truth: Tensor) -> Tensor:
    """The Charbonnier error of Laplacians, picture minus Gaussian mean (5 x 5, borders repeated).

    Source:
        Zamir et al., Multi-Stage Progressive Image Restoration, 2021, eq. 4. The paper leaves the
        form of the Laplacian open; this one is a level of the pyramid of Burt & Adelson 1983.

    Example:
        >>> flat = torch.full((1, 3, 8, 8), 0.5)
        >>> edge(flat, flat + 0.1)
        tensor(0.0010)
    """
    return charbonnier(_laplacian(output), _laplacian(truth))


def _laplacian(picture: Tensor) -> Tensor:
    taps = torch.tensor([0.05, 0.25, 0.4, 0.25, 0.05], dtype=picture.dtype, device=picture.device)
    channels = picture.shape[1]
    mean = pad(picture, (2, 2, 2, 2), mode="replicate")
    mean = conv2d(mean, taps.reshape(1, 1, 1, 5).expand(channels, -1, -1, -1), groups=channels)
    mean = conv2d(mean, taps.reshape(1, 1, 5, 1).expand(channels, -1, -1, -1), groups=channels)
    return picture - mean


def charbonnier_edge(output: Tensor, truth: Tensor) -> Tensor:
    """Charbonnier + 0.05 edge, the loss of a stage of MPRNet (eq. 2)."""
    return charbonnier(output, truth) + _EDGE_WEIGHT * edge(output, truth)


def negative_psnr(output: Tensor, truth: Tensor, floor: float = 1e-8) -> Tensor:
    """10 log10 of the mean squared error of each picture, and the mean over pictures, in dB.

    Args:
        output: (B, 3, H, W).
        truth: of the same shape.
        floor: is added to the errors. With 1e-5 what is over 50 dB is good enough, so that sharp
            pictures do not outweigh blurred ones.

    Source:
        Chen et al., HINet: Half Instance Normalization Network for Image Restoration, 2021, eq. 3.

    Example:
        >>> negative_psnr(torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3, 2, 2), 0.4)).round()
        tensor(-20.)
    """
    error = (output - truth).square().mean((1, 2, 3))
    return 10 * torch.log10(error + floor).mean()


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": l1_loss,
    "mse": mse_loss,
    "charbonnier": charbonnier,
    "charbonnier-edge": charbonnier_edge,
    "psnr": negative_psnr,
    "psnr-50": partial(negative_psnr, floor=1e-5),
}


def multi_level(name: str, outputs: Sequence[Tensor], truth: Tensor) -> Tensor:
    """The sum of a loss over all outputs of a network, each against the truth at its resolution.

    Args:
        name: of `LOSSES`.
        outputs: (B, 3, h, w) each, at the resolution of the truth or at one half, one quarter...
        truth: (B, 3, H, W).

    Raises:
        ParameterError: There is no such loss, or an output is of another size.

    Example:
        >>> truth = torch.zeros(1, 3, 4, 4)
        >>> multi_level("l1", [truth + 1, truth[..., :2, :2] + 2], truth)
        tensor(3.)
    """
    if name not in LOSSES:
        raise ParameterError(f"loss must be one of {', '.join(LOSSES)}, got {name!r}")
    total = truth.new_zeros(())
    for output in outputs:
        factor = truth.shape[-1] // output.shape[-1]
        target = avg_pool2d(truth, factor) if factor > 1 else truth
        if target.shape != output.shape:
            raise ParameterError(
                f"outputs must have the truth's size {tuple(truth.shape)} or a whole fraction of "
                f"it, got {tuple(output.shape)}"
            )
        total = total + LOSSES[name](output.float(), target)
    return total
