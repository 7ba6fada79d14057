"""What a run leaves for people: pictures of each validation, and the weights at its end."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from lightning import Callback
from torch import Tensor
from torch.nn.functional import pad
from typing_extensions import override

from unblur import __version__
from unblur.files import write_whole
from unblur.nets.checkpoint import DATA_SHA256, data_sha256
from unblur.photo import Photo, write
from unblur.train.batch import Batch

__all__ = ["Gallery", "Weights", "save_batch", "save_weights"]

_GAP = 4


class Gallery(Callback):
    """Write a picture at each validation: blurred, restored, sharp side by side, a row a pair.

    Args:
        folder: for the pictures.
        rows: how many pairs, the first ones of the first process.
    """

    def __init__(self, folder: Path, *, rows: int = 4) -> None:
        self.folder, self.rows = folder, rows
        self.strips: list[Tensor] = []

    @override
    def on_validation_batch_end(
        self,
        trainer: Any,
        pl_module: Any,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first pairs."""
        if trainer.is_global_zero and len(self.strips) < self.rows:
            three = [batch.blurred[0], outputs[0], batch.sharp[0]]
            framed = [pad(each.float().cpu(), (0, _GAP, 0, _GAP), value=1.0) for each in three]
            self.strips.append(torch.cat(framed, dim=2))

    @override
    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Write them."""
        if not self.strips:
            return
        width = max(strip.shape[2] for strip in self.strips)
        sheet = torch.cat(
            [pad(strip, (0, width - strip.shape[2], 0, 0), value=1.0) for strip in self.strips], 1
        )
        self.strips = []
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"step-{trainer.global_step:09d}.png"
        write(path, Photo.from_tensor(sheet), overwrite=True)


class Weights(Callback):
    """Write the weights at the end of the run as a file that `unblur fix --weights` takes.

    Args:
        path: of the file.
        notes: to keep beside the weights.
    """

    def __init__(self, path: Path, notes: Mapping[str, Any]) -> None:
        self.path, self.notes = path, notes

    @override
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Write them; the averaged ones, where there is an average."""
        if trainer.is_global_zero:
            notes = {
                **self.notes,
                "steps": trainer.global_step,
                "validation": pl_module.validated,
            }
            save_weights(pl_module.name, pl_module.network, self.path, notes)


def save_weights(
    name: str, network: Any, path: Path, notes: Mapping[str, Any], *, overwrite: bool = True
) -> None:
    """Write a network as a safetensors file that `load_network` opens and checks.

    Args:
        name: of the architecture in the catalogue.
        network: with its weights.
        path: of the file.
        notes: how it was trained: anything that JSON holds.
        overwrite: whether to replace a file.

    Raises:
        OutputError: The file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, tensor in network.state_dict().items():
        # An entry that layers share goes in once.
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            tensors[key] = tensor.detach().float().cpu().contiguous()
    card = {
        "architecture": name,
        "source": "trained with unblur train",
        "licence": "not stated",
        "date": datetime.now(UTC).date().isoformat(),
        "unblur": __version__,
        "training": json.dumps(notes),
        DATA_SHA256: data_sha256(safetensors.torch.save(tensors)),
    }
    write_whole(path, safetensors.torch.save(tensors, card), overwrite=overwrite)


def save_batch(batch: Batch, outputs: Any, path: Path) -> None:
    """Write a batch and what a network made of it, with the names and plans of its pairs."""
    tensors = {"blurred": batch.blurred, "sharp": batch.sharp, "output": outputs[0]}
    tensors = {name: each.detach().float().cpu().contiguous() for name, each in tensors.items()}
    notes = {
        "names": json.dumps(batch.names),
        "plans": json.dumps(
            [
                {
                    name: value
                    for name, value in vars(plan).items()
                    if isinstance(value, str | float | int | None)
                }
                for plan in batch.plans
            ]
        ),
    }
    write_whole(path, safetensors.torch.save(tensors, notes), overwrite=True)
