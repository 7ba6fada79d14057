"""What happens to light: kernels, fields of them, and noise."""

from unblur.blur.boundary import Boundary
from unblur.blur.depth import Defocus, random_depth
from unblur.blur.field import Field
from unblur.blur.handheld import random_camera_shake
from unblur.blur.homography import (
    camera_shake,
    lens_field,
    random_lens_field,
    rotation_field,
)
from unblur.blur.kernel import Kernel, Record, validate_kernel
from unblur.blur.noise import add_noise, add_poisson_gaussian, jpeg
from unblur.blur.noise_level import estimate_noise
from unblur.blur.operator import Convolution, Operator

__all__ = [
    "Boundary",
    "Convolution",
    "Defocus",
    "Field",
    "Kernel",
    "Operator",
    "Record",
    "add_noise",
    "add_poisson_gaussian",
    "camera_shake",
    "estimate_noise",
    "jpeg",
    "lens_field",
    "random_camera_shake",
    "random_depth",
    "random_lens_field",
    "rotation_field",
    "validate_kernel",
]
