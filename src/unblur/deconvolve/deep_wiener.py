"""Deconvolution finished by a network: the physics first, then what photographs look like."""

from collections.abc import Callable

import torch
from torch import Tensor

from unblur.blur import Field
from unblur.deconvolve.inverses import inverses
from unblur.deconvolve.local_wiener import local_wiener
from unblur.progress import Progress, part, report

__all__ = ["deep_wiener", "evidence"]

# The network has seen values from about -0.3 to 1.3; what lies beyond is left as it is.
_LOWEST, _HIGHEST = -0.5, 1.5
# Share of the work that is done once the classical result is there.
_CLASSICAL = 0.5


def deep_wiener(
    image: Tensor,
    kernel: Tensor | Field,
    network: Callable[[Tensor], Tensor],
    *,
    noise_std: float = 0.01,
    clipped: Tensor | None = None,
    ignored: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Deconvolve by local Wiener filters and two linear inverses, combined by a network.

    The network sees all of them and the noise, and gives the local Wiener result with what it
    learned to add.

    Args:
        image: v, (B, C, H, W), in [0, 1]; not modified. Grey is three equal channels to the
            network, and their mean comes back.
        kernel: (h, w), odd sides, (C, h, w) with one kernel a channel, or a field.
        network: from (B, 16, H, W) to (B, 3, H, W), such as `unblur.nets.deepwiener.DeepWiener`.
        noise_std: standard deviation of the noise, in the units of the image, at least 0.
        clipped: bool, broadcastable to `image`: pixels that are at least as bright as they look.
        ignored: bool, likewise: pixels that say nothing.
        progress: called before each step.

    Returns:
        (B, C, H, W), not clipped to [0, 1].

    Raises:
        KernelError: The kernel has even sides or does not fit the channels.
        ParameterError: A parameter is out of range.

    Source:
        J. Dong, S. Roth, B. Schiele, Deep Wiener Deconvolution, NeurIPS 2020, for a network behind
        Wiener filters.

    Example:
        >>> from unblur.blur import kernels
        >>> flat = torch.full((1, 1, 20, 30), 0.5)
        >>> restored = deep_wiener(flat, kernels.disk(radius=3).pixels, lambda seen: seen[:, :3])
        >>> bool((restored - flat).abs().max() < 1e-4)
        True
    """
    seen = evidence(
        image,
        kernel,
        noise_std=noise_std,
        clipped=clipped,
        ignored=ignored,
        progress=part(progress, 0, _CLASSICAL),
    )
    report(progress, "network", _CLASSICAL)
    classical = seen[:, :3].clone()
    seen.clamp_(_LOWEST, _HIGHEST)
    beyond = classical.sub_(seen[:, :3])
    restored = network(seen).add_(beyond)
    report(progress, "network", 1.0)
    return restored.mean(dim=1, keepdim=True) if image.shape[1] == 1 else restored


def evidence(
    image: Tensor,
    kernel: Tensor | Field,
    *,
    noise_std: float,
    clipped: Tensor | None = None,
    ignored: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Give what the network sees: (B, 16, H, W).

    The local Wiener result, the blurred picture, a bold and a careful inverse, what the local
    Wiener result leaves unexplained, three channels each, and the noise. The arguments are those of
    `deep_wiener`.

    Example:
        >>> evidence(torch.rand(1, 1, 20, 30), torch.ones(1, 1), noise_std=0.01).shape
        torch.Size([1, 16, 20, 30])
    """
    classical = local_wiener(
        image, kernel, noise_std=noise_std, clipped=clipped, ignored=ignored, progress=progress
    )
    others = inverses(
        image, kernel, classical, noise_std=noise_std, clipped=clipped, ignored=ignored
    )
    pictures = [classical, image, *others.split(image.shape[1], dim=1)]
    noise = image.new_full((1, 1, 1, 1), noise_std).expand(len(image), 1, *image.shape[-2:])
    return torch.cat([*(each.expand(-1, 3, -1, -1) for each in pictures), noise], dim=1)
