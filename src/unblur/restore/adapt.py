"""What people hand in, as a photo, and the way back: same type, same dtype, same shape."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from unblur.errors import InputError, NonFiniteInput, ParameterError
from unblur.photo import Carried, Photo, read

__all__ = ["Adapted", "adapt"]

Encoding = Literal["srgb", "linear"]

# Floats are in [0, 1]; what a restoration overshoots may come back in, what is in [0, 255] may not.
_LOWEST, _HIGHEST = -2.0, 4.0
_STORED = (torch.uint8, torch.uint16, torch.float32)


@dataclass(frozen=True)
class Adapted:
    """A photo, and the way back.

    Attributes:
        photo: what came in.
        back: gives a restored photo the type that came in.
        same: gives what came in once more, to the bit (floats of 64 bits do not fit a photo).
        bare: whether these are the values of an array of which nobody said what they mean.
    """

    photo: Photo
    back: Callable[[Photo], Any]
    same: Callable[[], Any]
    bare: bool = False


def adapt(image: Any, encoding: Encoding | None = None) -> Adapted:
    """Take a Photo, a path, a NumPy array, a PIL image or a tensor.

    Args:
        image: Photo; path (str or PathLike); array (H, W) or (H, W, C); PIL image; tensor (H, W),
            (C, H, W) or (B, C, H, W). C is 1 or 3, or with alpha 2 or 4. uint8, uint16, or floats
            in [0, 1].
        encoding: what the values of arrays and tensors mean; None takes them as they are. Files,
            photos and PIL images follow their profile unless it is given.

    Raises:
        InputError: The type, dtype, shape or range is not one of these.
        NonFiniteInput: It holds NaN or infinity.
    """
    if encoding not in (None, "srgb", "linear"):
        raise ParameterError(f"encoding must be 'srgb', 'linear' or None, got {encoding!r}")
    if isinstance(image, Photo):
        return Adapted(image, lambda photo: photo, lambda: image)
    if isinstance(image, str | os.PathLike):
        photo = _read(image, encoding)
        return Adapted(photo, lambda restored: restored, lambda: photo)
    if isinstance(image, Tensor):
        return _adapt_tensor(image, encoding)
    if isinstance(image, np.ndarray):
        return _adapt_array(image, encoding)
    if type(image).__module__.startswith("PIL.") and hasattr(image, "getbands"):
        return _adapt_pil(image, encoding)
    raise InputError(
        "image must be a Photo, a path, a NumPy array, a PIL image or a tensor, "
        f"got {type(image).__name__}"
    )


def _read(path: str | os.PathLike[str], encoding: Encoding | None) -> Photo:
    try:
        return read(path, encoding=encoding or "auto")
    except InputError as error:
        name = os.fsdecode(path)
        if name in str(error):
            raise
        raise type(error)(f"{name}: {error}") from error


def _adapt_tensor(image: Tensor, encoding: Encoding | None) -> Adapted:
    if image.ndim not in (2, 3, 4):
        raise InputError(
            f"image must be (H, W), (C, H, W) or (B, C, H, W), got {tuple(image.shape)}"
        )
    batch = image[(None,) * (4 - image.ndim)]
    photo = _photo(batch.detach(), image.dtype, encoding)

    def back(restored: Photo) -> Tensor:
        return _joined(restored).to(image.device, image.dtype).reshape(image.shape)

    return Adapted(photo, back, image.clone, bare=encoding is None)


def _adapt_array(image: np.ndarray[Any, Any], encoding: Encoding | None) -> Adapted:
    if image.ndim not in (2, 3):
        raise InputError(f"image must be (H, W) or (H, W, C), got {image.shape}")
    native = image.astype(image.dtype.newbyteorder("="), copy=True)
    try:
        tensor = torch.from_numpy(native)
    except TypeError as error:
        raise InputError(
            f"image must be uint8, uint16 or floating point, got {image.dtype}"
        ) from error
    batch = tensor[None, None] if image.ndim == 2 else tensor.permute(2, 0, 1)[None]
    photo = _photo(batch, image.dtype, encoding)

    def back(restored: Photo) -> np.ndarray[Any, Any]:
        joined = _joined(restored)[0].to(tensor.dtype)
        pixels = joined[0] if image.ndim == 2 else joined.permute(1, 2, 0)
        return np.ascontiguousarray(pixels.numpy()).astype(image.dtype, copy=False)

    return Adapted(photo, back, image.copy, bare=encoding is None)


def _adapt_pil(image: Any, encoding: Encoding | None) -> Adapted:
    if image.mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
        raise InputError(
            f"a PIL image must have mode L, LA, RGB, RGBA or I;16, got {image.mode}: "
            "use image.convert('RGB')"
        )
    adapted = _adapt_array(np.asarray(image), encoding)
    carried = Carried(
        bits=adapted.photo.depth, icc=image.info.get("icc_profile"), encoding=encoding or "auto"
    )
    photo = Photo(adapted.photo.samples, adapted.photo.alpha, carried)

    def back(restored: Photo) -> Any:
        from PIL import Image

        result = Image.fromarray(adapted.back(restored))
        result.info.update(image.info)
        return result

    return Adapted(photo, back, image.copy)


def _photo(batch: Tensor, dtype: object, encoding: Encoding | None) -> Photo:
    """(B, C or C + 1, H, W) of any accepted type, as a photo."""
    if batch.dtype not in _STORED:
        if not batch.is_floating_point():
            raise InputError(f"image must be uint8, uint16 or floating point, got {dtype}")
        batch = batch.float()
    if batch.shape[1] not in (1, 2, 3, 4) or batch.numel() == 0:
        raise InputError(
            "image must have 1 or 3 channels, or 2 or 4 with alpha, and pixels; got "
            f"{batch.shape[1]} channels of {batch.shape[2]} x {batch.shape[3]}"
        )
    if batch.dtype == torch.float32:
        _check_floats(batch)
    colours = batch.shape[1] - (batch.shape[1] % 2 == 0)
    alpha = batch[:, colours:] if colours < batch.shape[1] else None
    carried = Carried(
        bits={1: 8, 2: 16, 4: 32}[batch.element_size()], encoding=encoding or "linear"
    )
    return Photo(batch[:, :colours].cpu(), None if alpha is None else alpha.cpu(), carried)


def _check_floats(batch: Tensor) -> None:
    low, high = (float(value) for value in torch.aminmax(batch))
    if not (np.isfinite(low) and np.isfinite(high)):
        count = int((~torch.isfinite(batch)).sum())
        raise NonFiniteInput(
            f"image holds {count} values that are NaN or infinite: replace them, for example by "
            "numpy.nan_to_num"
        )
    if low < _LOWEST or high > _HIGHEST:
        raise InputError(
            f"image must be in [0, 1] where it is floating point, got {low:g} to {high:g}: "
            "divide by the maximum of their range"
        )


def _joined(photo: Photo) -> Tensor:
    samples = photo.samples
    return samples if photo.alpha is None else torch.cat([samples, photo.alpha], dim=1)
