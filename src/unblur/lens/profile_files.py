"""Lens profiles on disk: one safetensors file, with what is not a tensor in its metadata."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from unblur.blur import Field
from unblur.blur.record import Record
from unblur.blur.windows import Window
from unblur.errors import KernelError
from unblur.files import shown, write_whole
from unblur.lens.prior import StoredPrior
from unblur.lens.shot import Shot

__all__ = ["load_parts", "load_shot", "save_parts"]

_FORMAT = "unblur-lens-1"
_LEVELS = ("prior_fine", "prior_middle", "prior_coarse")


def save_parts(parts: Mapping[str, Any], path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Write the attributes of a profile, whole or not at all.

    Raises:
        OutputError: The file exists (without `overwrite`), or the disk fails.
        KernelError: `measured` holds what JSON cannot.
    """
    field: Field = parts["field"]
    tensors = {"kernels": field.kernels, "confidence": parts["confidence"]}
    notes = {
        "window": field.window,
        "record": field.record.as_dict(),
        "frame": list(parts["frame"]),
        "shot": asdict(parts["shot"]),
        "orientation": parts["orientation"],
        "measured": dict(parts["measured"]),
    }
    prior: StoredPrior | None = parts["prior"]
    if prior is not None:
        tensors |= dict(zip(_LEVELS, prior.levels, strict=True))
        notes["prior_weights"] = prior.weights
    try:
        text = json.dumps(notes, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise KernelError(f"measured cannot be written as JSON: {error}") from error
    content = safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        {"format": _FORMAT, "profile": text},
    )
    write_whole(path, content, overwrite=overwrite)


def load_parts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the attributes of a profile, checked.

    Raises:
        KernelError: The file is missing, damaged, or no lens profile.
    """
    with _opened(path) as (file, known):
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        base = os.path.basename(shown(path))
        return {**_checked(known, tensors), "file": base, "sha256": _digest(path)}


def load_shot(path: str | os.PathLike[str]) -> Shot:
    """Read what a profile is for, and nothing else of the file.

    Raises:
        KernelError: The file is missing, damaged, or no lens profile.
    """
    with _opened(path) as (_, known):
        return _shot(known["shot"])


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The file, and what its metadata say; whatever fails inside is the file's fault."""
    name = shown(path)
    if not os.path.isfile(path):
        raise KernelError(f"{name} does not exist, or is no file")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            if notes.get("format") != _FORMAT:
                raise KernelError(
                    f"{name} is no lens profile: `unblur calibrate` makes them, and a field of "
                    "kernels goes to --kernel"
                )
            yield file, json.loads(notes["profile"])
    except safetensors.SafetensorError as error:
        raise KernelError(
            f"{name} is not a lens profile, or is damaged: `unblur calibrate` makes them"
        ) from error
    except (
        OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError,
    ) as error:  # fmt: skip
        if isinstance(error, KernelError) and name in str(error):
            raise
        raise KernelError(f"{name} is not a lens profile that can be read: {error}") from error


def _digest(path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(known: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    window: Window = "linear" if known["window"] == "linear" else "hann"
    record = Record.from_json(json.dumps(known["record"])) or Record("calibrate")
    field = Field.of(tensors["kernels"].float(), window=window, record=record)
    confidence = tensors["confidence"].float()
    height, width = (int(side) for side in known["frame"])
    if min(height, width) < 1:
        raise KernelError(f"the frame must have pixels, got {width} x {height}")
    if tuple(confidence.shape) != field.grid or not bool(torch.isfinite(confidence).all()):
        raise KernelError("the confidence does not fit the grid of kernels")
    orientation = int(known["orientation"])
    if orientation not in range(1, 9):
        raise KernelError(f"the orientation must be 1 to 8, got {orientation}")
    prior = None
    if "prior_weights" in known:
        prior = StoredPrior.of(tuple(tensors[level] for level in _LEVELS), known["prior_weights"])
    return {
        "field": field,
        "confidence": confidence.clamp(0, 1),
        "frame": (height, width),
        "shot": _shot(known["shot"]),
        "orientation": orientation,
        "measured": dict(known["measured"]),
        "prior": prior,
    }


def _shot(known: dict[str, Any]) -> Shot:
    numbers = {
        name: None if known[name] is None else float(known[name])
        for name in ("focal_length", "aperture")
    }
    return Shot(str(known["camera"]), str(known["lens"]), **numbers)
