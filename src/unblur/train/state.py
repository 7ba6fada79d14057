"""What a run has learned, as small files that travel: to go on on another machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from huggingface_hub import save_torch_state_dict
from lightning import Callback
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import override

from unblur.errors import WeightsError
from unblur.files import shown
from unblur.nets.network import Network

__all__ = ["Begin", "State", "Travel"]

_PATTERN = "state{suffix}.safetensors"
_INDEX = "state.safetensors.index.json"
_LARGEST = "15MB"  # of a file, as far as its entries are smaller
# What Adam remembers of each entry.
_MOMENTS = ("exp_avg", "exp_avg_sq")

Entries = Mapping[str, Tensor]


@dataclass(frozen=True)
class State:
    """All that training needs to go on.

    Attributes:
        weights: of the network, by entry.
        average: of the weights; empty where there is none.
        moments: by "exp_avg" and "exp_avg_sq", what the optimiser remembers of each parameter.
        steps: that the optimiser took.
    """

    weights: Entries
    average: Entries = field(default_factory=dict)
    moments: Mapping[str, Entries] = field(default_factory=dict)
    steps: int = 0

    @classmethod
    def of(cls, network: nn.Module, average: Entries, optimizer: Optimizer) -> "State":
        """Take it from a run."""
        moments: dict[str, dict[str, Tensor]] = {moment: {} for moment in _MOMENTS}
        steps = 0
        for name, parameter in network.named_parameters():
            kept = optimizer.state.get(parameter, {})
            steps = max(steps, int(kept.get("step", 0)))
            for moment in _MOMENTS:
                if moment in kept:
                    moments[moment][name] = kept[moment]
        return cls(network.state_dict(), average, moments, steps)

    def save(self, folder: Path) -> None:
        """Write it as files of at most 15 MB; those that were there are replaced."""
        entries = {"weights": self.weights, "average": self.average, **self.moments}
        named = {
            f"{part}.{name}": tensor.detach().cpu()
            for part, tensors in entries.items()
            for name, tensor in tensors.items()
        }
        folder.mkdir(parents=True, exist_ok=True)
        # Of a state in several files, where this one may be small enough for one.
        (folder / _INDEX).unlink(missing_ok=True)
        save_torch_state_dict(
            named,
            folder,
            filename_pattern=_PATTERN,
            max_shard_size=_LARGEST,
            metadata={"steps": str(self.steps)},
        )

    @classmethod
    def load(cls, folder: Path) -> "State":
        """Read what `save` wrote.

        Raises:
            WeightsError: There is none, or a file of it is damaged or missing.
        """
        index = folder / _INDEX
        try:
            files, known, notes = [_PATTERN.format(suffix="")], {}, {}
            if index.is_file():
                told = json.loads(index.read_text(encoding="utf-8"))
                known, notes = told["weight_map"], told.get("metadata", {})
                files = sorted(set(known.values()))
            named: dict[str, Tensor] = {}
            for name in files:
                with safetensors.safe_open(folder / Path(name).name, framework="pt") as file:
                    named |= {entry: file.get_tensor(entry) for entry in file.keys()}  # noqa: SIM118 - not a dictionary
                    notes = {**(file.metadata() or {}), **notes}
            steps = int(notes.get("steps", 0))
        except (OSError, ValueError, LookupError, SafetensorError) as error:
            raise WeightsError(
                f"{shown(folder)} must hold what a run left in its folder state: {error}"
            ) from error
        missing = known.keys() - named.keys()
        if missing:
            raise WeightsError(f"{shown(folder)} lacks {len(missing)} entries of its index")
        parts: dict[str, dict[str, Tensor]] = {}
        for entry, tensor in named.items():
            part, _, name = entry.partition(".")
            parts.setdefault(part, {})[name] = tensor.float()
        moments = {moment: parts.get(moment, {}) for moment in _MOMENTS}
        return cls(parts.get("weights", {}), parts.get("average", {}), moments, steps)

    def remind(self, optimizer: Optimizer, network: Network) -> None:
        """Let an optimiser of the network's parameters remember what another one did."""
        for name, parameter in network.named_parameters():
            kept = {m: found[name] for m, found in self.moments.items() if name in found}
            if len(kept) == len(_MOMENTS):
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(self.steps)),
                    **{moment: tensor.to(parameter) for moment, tensor in kept.items()},
                }


class Begin(Callback):
    """Begin with the average of a state, in the place of the weights themselves.

    Args:
        averaging: Lightning's callback that keeps the average; it must come before this one.
    """

    def __init__(self, averaging: Any) -> None:
        self.averaging = averaging

    @override
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Take it; a checkpoint to go on with is read later, and has the last word."""
        if stage != "fit" or pl_module.begun is None or not pl_module.begun.average:
            return
        average = self.averaging._average_model  # noqa: SLF001 - Lightning has no name for it
        average.module.network.load_state_dict(dict(pl_module.begun.average))
        average.n_averaged.fill_(max(pl_module.begun.steps, 1))


class Travel(Callback):
    """Write the state at the end of a run; it must come before the average becomes the weights.

    Args:
        folder: for the files.
        averaging: as for `Begin`; None where there is no average.
    """

    def __init__(self, folder: Path, averaging: Any = None) -> None:
        self.folder, self.averaging = folder, averaging

    @override
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Write it."""
        if not trainer.is_global_zero:
            return
        average = {}
        if self.averaging is not None:
            average = self.averaging._average_model.module.network.state_dict()  # noqa: SLF001
        State.of(pl_module.network, average, trainer.optimizers[0]).save(self.folder)
