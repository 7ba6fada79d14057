"""A lens, calibrated: its blur over the frame, and what pictures it is for."""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from unblur.blur import Field
from unblur.errors import InputError
from unblur.lens.prior import StoredPrior
from unblur.lens.profile_files import load_parts, save_parts
from unblur.lens.shot import Shot, shot_of
from unblur.lens.turning import inverse_of, turned, upright
from unblur.photo import Photo

__all__ = ["LensProfile"]

Size = tuple[int, int]

# Frames of one sensor at another resolution are rounded to whole pixels, or to multiples of 16.
_SHAPE = 0.015
_MOST_UNEXPLAINED = 0.05
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, eq=False)
class LensProfile:
    """What `calibrate` finds out about a lens, and what `deblur(..., lens=...)` takes.

    Attributes:
        field: kernels over the frame as the sensor stored it, one or three channels.
        confidence: (rows, columns), in [0, 1]: how far to trust each cell.
        frame: (height, width) of that frame in pixels.
        shot: camera, lens and settings.
        orientation: EXIF orientation of the calibration picture; the field is free of it.
        measured: what was found on the way, ready for JSON.
        prior: the distortion prior of a network, or None.
        file: name of the file that it was loaded from, without its folder; empty if from none.
        sha256: of that file's content.
    """

    field: Field
    confidence: Tensor
    frame: Size
    shot: Shot = dataclasses.field(default_factory=Shot)
    orientation: int = 1
    measured: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prior: StoredPrior | None = None
    file: str = ""
    sha256: str = ""

    @property
    def unexplained(self) -> float:
        """What the kernels left of their own pair besides noise; 0 where that was not measured."""
        found = self.measured.get("unexplained")
        numbers = found if isinstance(found, list) else []
        numbers = [each for each in numbers if isinstance(each, float)]
        return min(max(numbers, default=0.0), _MOST_UNEXPLAINED)

    def fit(self, photo: Photo) -> tuple[int, float]:
        """How a photo lies on the frame: its orientation, and its pixels for one of the frame.

        Raises:
            InputError: The photo's frame has another shape: it was cut, or is of another
                sensor.
        """
        orientation = photo.carried.orientation
        height, width = self.frame if orientation < 5 else self.frame[::-1]
        if (photo.size[0] > photo.size[1]) != (height > width) and orientation == 1:
            # Upright on disk, with no word of how it was held: to the left is the usual way.
            orientation, (height, width) = 8, (width, height)
        scales = photo.size[0] / height, photo.size[1] / width
        if abs(scales[0] / scales[1] - 1) > _SHAPE:
            raise InputError(
                f"lens is for frames of {width} x {height} pixels or of that shape, and the "
                f"picture has {photo.size[1]} x {photo.size[0]}: give the whole, uncut frame"
            )
        return orientation, sum(scales) / 2

    def field_for(self, photo: Photo) -> Field:
        """The blur of a photo of this lens: turned, resized, and for as many channels.

        Raises:
            InputError: As `fit`.

        Example:
            >>> import torch
            >>> from unblur.blur import Kernel
            >>> kernel = Kernel.identity().pixels.expand(2, 3, 1, 1)
            >>> profile = LensProfile(Field.of(kernel), torch.ones(2, 3), (200, 300))
            >>> profile.field_for(Photo.from_tensor(torch.zeros(3, 30, 20))).grid
            (3, 2)
        """
        orientation, scale = self.fit(photo)
        blur = upright(self.field, orientation)
        if abs(scale - 1) > 0.01:
            blur = blur.resize(scale)
        if photo.samples.shape[1] == 1 and blur.channels == 3:
            share = blur.kernels.new_tensor(_LUMA)[:, None, None]
            blur = replace(blur, kernels=(blur.kernels * share).sum(2, keepdim=True))
        return blur

    def warnings_for(self, photo: Photo) -> tuple[str, ...]:
        """What makes the photo one that this profile may not be for, in words."""
        found = [
            f"{words}, which the lens profile was made for"
            for words in shot_of(photo).differences(self.shot)
        ]
        orientation, _ = self.fit(photo)
        if orientation != photo.carried.orientation:
            found.append(
                "the picture stands upright and does not say how the camera was held: the lens "
                "profile was turned as for a camera held with its right side up"
            )
        return tuple(found)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write to one safetensors file, whole or not at all.

        Raises:
            OutputError: The file exists (without `overwrite`), or the disk fails.
        """
        save_parts(vars(self), path, overwrite=overwrite)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "LensProfile":
        """Read what `save` wrote; nothing in the file is executed.

        Raises:
            KernelError: The file is missing, damaged, or no lens profile.
        """
        return LensProfile(**load_parts(path))

    def show(self) -> Tensor:
        """A picture of the kernels over the frame, uint8 (3, H, W): green is trusted, red not."""
        from unblur.lens.draw import draw

        orientation = self.orientation
        seen = upright(self.field, orientation)
        return draw(seen, turned(self.confidence, orientation))


def sensor_frame(size: Size, orientation: int) -> Size:
    """The frame of the sensor of an upright picture of `size`."""
    return size if orientation < 5 else (size[1], size[0])


def on_sensor(grid: Tensor, orientation: int) -> Tensor:
    """Bring cells (rows, columns) of an upright picture onto the sensor's frame."""
    return turned(grid, inverse_of(orientation)).contiguous()
