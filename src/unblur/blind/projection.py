"""One plane that shows the edges of a colour picture best."""

import torch
from torch import Tensor

from unblur.fourier import gradient

__all__ = ["project"]

# Gradients from every so many pixels are enough for three numbers.
_SAMPLES = 2**16


def project(image: Tensor) -> tuple[Tensor, float]:
    """Project the channels on the direction in which their gradients vary most.

    With e the leading eigenvector of sum grad c grad c^T, the plane is sum_c e_c image_c / sqrt(C):
    for a picture without colour the mean of its channels, which the mean is worst at replacing
    where colours change and lightness does not. Noise of standard deviation s in every channel
    becomes s / sqrt(C).

    Args:
        image: (1, C, H, W).

    Returns:
        The plane (H, W), and the factor of the noise.

    Example:
        >>> grey = torch.rand(1, 1, 8, 8).expand(1, 3, 8, 8)
        >>> plane, factor = project(grey)
        >>> torch.allclose(plane, grey[0, 0], atol=1e-5), round(factor, 3)
        (True, 0.577)
    """
    planes = image[0]
    channels = planes.shape[0]
    factor = channels**-0.5
    if channels == 1:
        return planes[0], factor
    along_y, along_x = gradient(planes)
    inside = torch.stack([along_y[:, :-1, :-1], along_x[:, :-1, :-1]], 1).flatten(1)
    step = max(1, inside.shape[1] // _SAMPLES)
    samples = inside[:, ::step].double()
    direction = torch.linalg.eigh(samples @ samples.T).eigenvectors[:, -1]
    if float(direction.sum()) < 0:
        direction = -direction
    weights = (direction * factor).to(planes)
    return torch.einsum("c,chw->hw", weights, planes), factor
