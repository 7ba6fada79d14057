"""The kinds of blur that `unblur blur` makes, and what each takes."""

from typing import TYPE_CHECKING, Any

from unblur.cli.arguments import check_choice
from unblur.errors import ParameterError

if TYPE_CHECKING:
    from unblur.blur import Defocus, Field, Kernel

__all__ = ["KINDS", "check_kept", "described", "make"]

# What cannot be left out comes first.
KINDS = {
    "motion": ("length", "angle"),
    "disk": ("radius", "blades", "rotation"),
    "gaussian": ("sigma", "sigma_y", "angle"),
    "shake": ("size", "exposure", "anxiety"),
    "homography": ("size", "degrees", "exposure", "anxiety"),
    "lens": ("stretch", "stretch_y", "angle"),
    "depth": ("radius", "focus", "blades", "rotation"),
}
# Cells of a field are no smaller than this, in pixels.
_LEAST_CELL = 24


def make(
    kind: str, shape: dict[str, Any], file: str | None, frame: tuple[int, int], seed: int
) -> "Kernel | Field | Defocus":
    """Make the blur that the options describe, for a picture of `frame`.

    Raises:
        ParameterError: An option does not belong to the kind, is missing or out of range.
        KernelError: The file holds no kernel.
    """
    if file is not None:
        if shape:
            raise ParameterError(f"--{next(iter(shape))} and --kernel exclude each other")
        return _load(file)
    _check(check_choice("--kind", kind, tuple(KINDS)), shape)
    from unblur.blur import kernels

    if kind == "homography":
        return _homography(frame, seed, **shape)
    if kind == "lens":
        return _lens(frame, **shape)
    if kind == "depth":
        return _depth(seed, **shape)
    more = {"seed": seed} if kind == "shake" else {}
    made: Kernel = getattr(kernels, kind)(**shape, **more)
    return made


def described(blur: "Kernel | Field | Defocus") -> str:
    """Say how large it is, in a few words.

    Example:
        >>> from unblur.blur import Field, Kernel
        >>> described(Kernel.identity()), described(Field.uniform(Kernel.identity()))
        ('kernel 1 x 1', 'field of 1 x 1 kernels 1 x 1')
    """
    from unblur.blur import Field, Kernel

    if isinstance(blur, Kernel):
        return f"kernel {blur.size[0]} x {blur.size[1]}"
    if isinstance(blur, Field):
        rows, columns = blur.grid
        height, width = blur.kernel_size
        return f"field of {rows} x {columns} kernels {height} x {width}"
    return f"defocus up to {blur.radius:g} pixels a unit of depth"


def check_kept(blur: "Kernel | Field | Defocus", name: str | None) -> None:
    """Refuse to keep a blur in a file that cannot hold it.

    Raises:
        ParameterError: Defocus by depth has no kernels, and fields need a .safetensors file.
    """
    from unblur.blur import Defocus, Field

    if name is not None and isinstance(blur, Defocus):
        raise ParameterError("--save-kernel keeps kernels and fields of kernels, not --kind depth")
    if name is not None and isinstance(blur, Field) and not name.lower().endswith(".safetensors"):
        raise ParameterError(f"--save-kernel must end in .safetensors for a field, not {name!r}")


def _load(file: str) -> "Kernel | Field":
    from unblur.blur import Field, Kernel

    return Field.load(file) if file.lower().endswith(".safetensors") else Kernel.load(file)


def _check(kind: str, shape: dict[str, Any]) -> None:
    needed, *optional = KINDS[kind]
    for name in shape:
        if name not in (needed, *optional):
            takes = ", ".join(f"--{each.replace('_', '-')}" for each in (needed, *optional))
            raise ParameterError(
                f"--kind {kind} takes no --{name.replace('_', '-')}; it takes {takes}"
            )
    if needed not in shape:
        raise ParameterError(f"--kind {kind} needs --{needed}")


def _homography(
    frame: tuple[int, int], seed: int, size: int, degrees: float = 0.5, **more: float
) -> "Field":
    from unblur.blur import random_camera_shake

    return random_camera_shake(size, degrees, frame, _grid(frame), seed=seed, **more)


def _lens(
    frame: tuple[int, int], stretch: float, stretch_y: float = 1.0, angle: float = 0.0
) -> "Field":
    from unblur.blur import lens_field

    return lens_field(angle, (stretch, stretch_y), frame, _grid(frame))


def _depth(seed: int, radius: float, focus: float = 0.5, **more: Any) -> "Defocus":
    import torch

    from unblur.blur import Defocus, random_depth

    landscape = random_depth(torch.Generator().manual_seed(seed))
    return Defocus.of(landscape, radius, focus, **more)


def _grid(frame: tuple[int, int]) -> tuple[int, int]:
    """Cells fine enough for the kernels of neighbours to be alike."""
    rows, columns = (max(side // _LEAST_CELL, 1) for side in frame)
    return min(rows, 12), min(columns, 16)
