"""How close a restored picture, or an estimated kernel, comes to the truth.

Pictures are floating-point tensors (B, C, H, W); every picture metric gives one value per picture,
(B,).
"""

from unblur.metrics.aligned import error_ratio, psnr_aligned
from unblur.metrics.fidelity import psnr, ssim, ssim_matlab3d
from unblur.metrics.similarity import kernel_similarity

__all__ = [
    "error_ratio",
    "kernel_similarity",
    "psnr",
    "psnr_aligned",
    "ssim",
    "ssim_matlab3d",
]
