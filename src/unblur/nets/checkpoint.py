"""Checkpoints: files of weights by anybody, opened so that nothing in them ever runs."""

import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from unblur.errors import InputError, WeightsError
from unblur.files import AnyPath, open_regular, shown

__all__ = [
    "DATA_SHA256",
    "Checkpoint",
    "data_sha256",
    "open_checkpoint",
    "read_checkpoint",
    "weights_in",
]

# The note in a safetensors file that says what its tensors must hash to.
DATA_SHA256 = "data_sha256"

_LARGEST = 2 << 30  # bytes; the largest published network that restores pictures has a quarter
_WRAPPERS = ("state_dict", "params_ema", "params", "model")
_ZIP = b"PK\x03\x04"
# What torch.save wrote before it wrote zip files: a pickle of a magic number comes first.
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_FOREIGN = (
    (rb"\x80[\x02-\x05]", "is a bare pickle, which can run code: it was refused, and nothing ran"),
    (rb"\x89HDF", "is a file of Keras: Autoencoder.from_keras takes what its get_weights() gives"),
    (rb"\s*<", "is a web page: download the file itself"),
    (rb"version https://git-lfs", "is a pointer of Git LFS: fetch the file itself"),
    (rb"(?s)\x1f\x8b|BZh|7z|.{257}ustar", "is an archive: unpack it, and give the file of weights"),
)


class Checkpoint(NamedTuple):
    """What a file of weights holds.

    Attributes:
        state: the entries, float32 on the CPU.
        notes: texts beside them, which only safetensors files have.
        sha256: of the file.
    """

    state: dict[str, Tensor]
    notes: dict[str, str]
    sha256: str


def read_checkpoint(path: AnyPath) -> dict[str, Tensor]:
    """Read the entries of a checkpoint: what torch.save wrote (.pth, .pt, .bin), or safetensors.

    What wraps the entries ("state_dict", "params", "params_ema", "model") is taken off, and so is
    "module." where all names begin with it.

    Returns:
        The entries by name, float32 on the CPU.

    Raises:
        WeightsError: As `open_checkpoint`.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile(suffix=".pth") as file:
        ...     torch.save({"state_dict": {"module.bias": torch.ones(2)}}, file.name)
        ...     read_checkpoint(file.name)
        {'bias': tensor([1., 1.])}
    """
    return open_checkpoint(path).state


def open_checkpoint(path: AnyPath) -> Checkpoint:
    """Read a checkpoint with its notes and its hash.

    Raises:
        WeightsError: The file is missing, no regular file, empty, too large, damaged, cut off, no
            checkpoint, promises more than it holds, or would run code.
    """
    label = shown(path)
    content = _content(path, label)
    notes: dict[str, str] = {}
    if content.startswith(_ZIP):
        _check_zip(content, label)
        loaded = _unpickled(content, label)
    elif content.startswith(_LEGACY):
        loaded = _unpickled(content, label)
    elif content[8:9] == b"{":
        loaded, notes = _safetensors(content, label)
    else:
        raise WeightsError(f"{label} {_foreign(content)}")
    state = _flat(loaded, label, limit=2 * len(content))
    return Checkpoint(state, notes, hashlib.sha256(content).hexdigest())


def weights_in(folder: str | os.PathLike[str]) -> str:
    """Give the file of weights in a folder that `save_pretrained` wrote.

    Raises:
        WeightsError: There is no such folder, or no such file in it.

    Example:
        >>> weights_in("no/such/folder")
        Traceback (most recent call last):
        unblur.errors.WeightsError: there is no folder no/such/folder; ...
    """
    path = os.path.join(folder, "model.safetensors")
    if not os.path.isdir(folder):
        raise WeightsError(
            f"there is no folder {shown(folder)}; give one that save_pretrained wrote: nothing is "
            "downloaded"
        )
    if not os.path.lexists(path):
        raise WeightsError(f"{shown(folder)} holds no model.safetensors; save_pretrained writes it")
    return path


def data_sha256(content: bytes) -> str:
    """Hash the tensors of a safetensors file, not its header."""
    start = 8 + int.from_bytes(content[:8], "little")
    return hashlib.sha256(memoryview(content)[start:]).hexdigest()


def _content(path: AnyPath, label: str) -> bytes:
    """Read the file at once, so that what is checked is what is loaded."""
    try:
        descriptor = open_regular(path)
    except InputError as error:
        raise WeightsError(str(error)) from error
    try:
        with open(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            if size > _LARGEST:
                raise WeightsError(
                    f"{label} has {size >> 20} MiB, and checkpoints have at most {_LARGEST >> 20}"
                )
            content = file.read(_LARGEST)
    except (OSError, MemoryError) as error:
        raise WeightsError(f"{label} cannot be read: {error}") from error
    if not content:
        raise WeightsError(f"{label} is empty (0 bytes)")
    return content


def _foreign(content: bytes) -> str:
    for pattern, what in _FOREIGN:
        if re.match(pattern, content[:512]):
            return what
    return "is not a checkpoint: expected what torch.save or safetensors write"


def _check_zip(content: bytes, label: str) -> None:
    """Look at the directory of a zip file before anything is taken out of it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except Exception as error:
        raise _damaged(label) from error
    names = {entry.filename.rpartition("/")[2] for entry in entries}
    if "constants.pkl" in names:
        raise WeightsError(f"{label} is a program (TorchScript): give a file of weights only")
    if "data.pkl" not in names:
        raise WeightsError(f"{label} is a zip archive without weights: give what torch.save wrote")
    promised = sum(entry.file_size for entry in entries)
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or promised > len(content):
        raise WeightsError(
            f"{label} promises {promised} bytes and has {len(content)}, which no checkpoint does: "
            "it was refused before it was opened"
        )


def _unpickled(content: bytes, label: str) -> Any:
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # of damaged bytes loaders raise whatever comes up
        named = re.search(r"GLOBAL (\S+)", str(error))
        if named is None:
            raise _damaged(label) from error
        raise WeightsError(
            f"{label} holds more than weights: it names {named[1]}, which is code; it was refused, "
            "and nothing ran. Ask for a file of the state_dict alone"
        ) from error


def _safetensors(content: bytes, label: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        state = safetensors.torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except Exception as error:
        raise _damaged(label) from error
    notes: dict[str, str] = header.get("__metadata__") or {}
    if DATA_SHA256 in notes and notes[DATA_SHA256] != data_sha256(content):
        raise _damaged(label)
    return state, notes


def _damaged(label: str) -> WeightsError:
    return WeightsError(f"{label} is damaged or cut off: download or copy it again")


def _flat(loaded: Any, label: str, *, limit: int) -> dict[str, Tensor]:
    """Take off what wraps the entries, check that they are plain, and make them float32."""
    for _ in _WRAPPERS:
        wrapper = next((key for key in _WRAPPERS if _is_mapping(loaded, key)), None)
        if wrapper is None:
            break
        loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not loaded:
        raise WeightsError(f"{label} holds no weights: expected entries by name, or under a key")
    for name, tensor in loaded.items():
        plain = isinstance(tensor, Tensor) and tensor.layout == torch.strided
        if not isinstance(name, str) or not plain or not tensor.is_floating_point():
            raise WeightsError(f"{label} is not a checkpoint: {name!r:.80} is no tensor of floats")
        if tensor.is_meta:
            raise WeightsError(f"{label} holds no values for {name}")
    promised = sum(tensor.numel() * tensor.element_size() for tensor in loaded.values())
    if promised > limit:
        raise WeightsError(f"{label} promises {promised} bytes of weights and holds far fewer")
    whole = all(name.startswith("module.") for name in loaded)
    return {
        name.removeprefix("module.") if whole else name: tensor.detach().float().contiguous()
        for name, tensor in loaded.items()
    }


def _is_mapping(loaded: Any, key: str) -> bool:
    return isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping)
