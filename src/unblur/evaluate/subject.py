"""A pair that was read and found fit for its protocol."""

from dataclasses import dataclass

from torch import Tensor

from unblur.datasets import Pair
from unblur.errors import InputError
from unblur.evaluate import crops
from unblur.evaluate.protocols import Protocol
from unblur.metrics import psnr_aligned
from unblur.photo import Photo, read

__all__ = ["Subject"]

# A pair that comes closer by more than this, in dB, when the blurred picture is moved by at most so
# many pixels, does not lie pixel on pixel. (Motion and defocus leave less than 0.3.)
_GAIN, _REACH = 1.0, 9


@dataclass(frozen=True)
class Subject:
    """A pair in memory.

    Attributes:
        pair: of the data set.
        blurred: the picture to restore.
        truth: (1, C, H, W), in [0, 1]; None where frames along a way are the truth.
        shown: what people see as the truth.
        place: rows and columns of the crop.
    """

    pair: Pair
    blurred: Photo
    truth: Tensor | None
    shown: Tensor
    place: tuple[slice, slice]

    @classmethod
    def read(cls, protocol: Protocol, pair: Pair) -> "Subject":
        """Read a pair and check it.

        Raises:
            InputError: Sizes, channels, depths or pages do not fit, or the pair is not aligned.
        """
        blurred, sharp = pair.read_blurred(), pair.read_sharp()
        _check_depth(protocol, pair, blurred, sharp)
        seen = blurred.encoded()
        if sharp is None:
            # The middle of the way stands for all of it where a person looks.
            shown, truth = read(pair.frames[len(pair.frames) // 2]).encoded(), None
        else:
            shown = truth = sharp.encoded()
        if seen.shape != shown.shape:
            raise InputError(
                f"{pair.name}: the blurred picture is {_size(seen)} and the sharp one "
                f"{_size(shown)}; they must be equal"
            )
        if truth is not None and protocol.alignment == "checked":
            _check_alignment(pair, seen, truth)
        return cls(pair, blurred, truth, shown, crops.place(seen, shown))


def _size(image: Tensor) -> str:
    pages, channels, height, width = image.shape
    several = f", {pages} pages" if pages > 1 else ""
    return f"{width} x {height} pixels, {channels} channels{several}"


def _check_depth(protocol: Protocol, pair: Pair, blurred: Photo, sharp: Photo | None) -> None:
    wanted = blurred.depth if protocol.depth is None else protocol.depth
    for kind, photo in (("blurred", blurred), ("sharp", sharp)):
        if photo is None:
            continue
        if photo.depth != wanted:
            raise InputError(
                f"{pair.name}: the {kind} picture has {photo.depth} bits, and protocol "
                f"{protocol.name} takes {wanted}: was it converted?"
            )
        if photo.pages != 1:
            raise InputError(f"{pair.name}: the {kind} picture has {photo.pages} pages, not one")


def _check_alignment(pair: Pair, blurred: Tensor, truth: Tensor) -> None:
    if min(truth.shape[-2:]) <= 3 * _REACH:
        return
    first, second = (each.mean(1, keepdim=True) for each in (blurred, truth))
    lying, moved = (
        float(psnr_aligned(first, second, max_shift=reach, border=_REACH, step=1.0))
        for reach in (0, _REACH)
    )
    if moved - lying > _GAIN:
        raise InputError(
            f"{pair.name}: the pair is not aligned: moving the blurred picture by a few pixels "
            f"brings it {moved - lying:.1f} dB closer to the sharp one; give --align to align each "
            "result, or --as-published to score pairs as they lie"
        )
