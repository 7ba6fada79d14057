"""The parameters of the l0 estimation, under the names that its users know."""

from dataclasses import dataclass

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """How the kernel is estimated; see Anger, Facciolo & Delbracio 2019, table 1.

    Attributes:
        kernel_size: side of the kernel in pixels, odd; 0 finds it.
        max_kernel_size: the largest side that is looked for, where it is found.
        lambda_start: weight of the l0 norm of the gradient at the coarsest level.
        lambda_ratio: divides it after every iteration.
        lambda_min: it does not fall below this.
        gamma: weight of |k|^2.
        iterations: of kernel and prediction at each level but the finest.
        scale_factor: between levels.
        kernel_threshold_max: kernel values under this share of the maximum are dropped.
        remove_isolated: islands with less than this share of the mass are dropped.
        window: side of the kernel at the coarsest level, where the size is found.
    """

    kernel_size: int = 0
    max_kernel_size: int = 65
    lambda_start: float = 4e-3
    lambda_ratio: float = 1.1
    lambda_min: float = 1e-4
    gamma: float = 5.0
    iterations: int = 5
    scale_factor: float = 0.5
    kernel_threshold_max: float = 0.05
    remove_isolated: float = 0.1
    window: int = 9
