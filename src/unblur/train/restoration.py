"""A network in training: its loss, its optimiser, and what validation says of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor
from torch.nn import ModuleDict
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics import MeanMetric

from unblur.errors import ParameterError, UnblurError
from unblur.nets.catalogue import find
from unblur.nets.network import Network
from unblur.nets.weights import load_network
from unblur.train.batch import Batch
from unblur.train.leaving import save_batch
from unblur.train.losses import LOSSES, multi_level
from unblur.train.passes import through
from unblur.train.schedules import optimizer, schedule
from unblur.train.scores import SCORES
from unblur.train.state import State

__all__ = ["Diverged", "Restoration"]

_SSIM_SIDE = 11


class Diverged(UnblurError):
    """The loss is no longer a number."""


class Restoration(LightningModule):
    """A network of the catalogue that learns to restore.

    Args:
        network: its name in the catalogue.
        variant: which of its networks; the first if not given.
        arguments: of the architecture, in the place of the variant's own.
        weights: what to start from: the name of weights, or a file.
        state: folder `state` of another run, to start from its weights, their average, and what its
            optimiser remembers.
        learns: parts of the network that learn, by the names of its modules (such as "restorer");
            the others stay as they are: of a state, its average. All of them if not given.
        whiten: begin with first convolutions that whiten what they see (blind dpanet; nothing where
            there are weights or a state).
        loss: of `LOSSES`, summed over all that the network gives (`through`).
        optimizer: "adam" or "adamw".
        lr: the learning rate at its height.
        betas: of the optimiser.
        eps: of the optimiser.
        weight_decay: of the optimiser.
        schedule: "cosine", "constant" or "plateau".
        warmup: steps over which the rate rises.
        lr_min: the lowest rate.
        factor: by which "plateau" reduces the rate.
        patience: validations without an improvement that "plateau" waits for.
        scores: of `SCORES`, measured in validation.

    Raises:
        ParameterError: `loss`, `scores` or `learns` name what there is not.
    """

    def __init__(
        self,
        network: str = "dpanet",
        *,
        variant: str | None = None,
        arguments: dict[str, Any] | None = None,
        weights: str | None = None,
        state: str | None = None,
        learns: Sequence[str] | str | None = None,
        whiten: bool = False,
        loss: str = "l1",
        optimizer: str = "adam",
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        schedule: str = "cosine",
        warmup: int = 0,
        lr_min: float = 1e-6,
        factor: float = 0.1,
        patience: int = 10,
        scores: Sequence[str] = ("psnr", "ssim"),
    ) -> None:
        super().__init__()
        unknown = [name for name in scores if name not in SCORES]
        if loss not in LOSSES or unknown:
            raise ParameterError(
                f"loss must be one of {', '.join(LOSSES)} and scores of {', '.join(SCORES)}, got "
                f"{loss!r} and {', '.join(scores)}"
            )
        self.name = network
        self.begun = None if state is None else State.load(Path(state))
        self.network = (
            _build(network, variant, arguments or {}, weights)
            if self.begun is None
            else find(network).architecture.from_state(self.begun.weights).train()
        )
        if learns is not None:
            self._freeze([learns] if isinstance(learns, str) else learns)
        self.whiten = whiten and weights is None and state is None
        self.loss = loss
        self.optimizer_of = {
            "name": optimizer,
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
        }
        self.schedule_of = {
            "name": schedule,
            "warmup": warmup,
            "lr_min": lr_min,
            "factor": factor,
            "patience": patience,
        }
        self.scores = tuple(scores)
        self.validated: dict[str, float] = {}
        meters = ["val_loss", *(f"val_{s}" for s in scores), *(f"val_{s}_input" for s in scores)]
        self.meters = ModuleDict({name: MeanMetric() for name in meters})

    def _freeze(self, learns: Sequence[str]) -> None:
        """Let some parts learn, and no others."""
        children = dict(self.network.named_children())
        parts = {name for name, part in children.items() if any(True for _ in part.parameters())}
        if not learns or not parts.issuperset(learns):
            raise ParameterError(
                f"learns must name parts of {self.network.title}, which are "
                f"{', '.join(sorted(parts))}; got {', '.join(learns) or 'none'}"
            )
        still = parts.difference(learns)
        for name in still:
            children[name].requires_grad_(requires_grad=False)
        if self.begun is not None:
            kept = {
                entry: tensor
                for entry, tensor in self.begun.average.items()
                if entry.split(".")[0] in still
            }
            self.network.load_state_dict(kept, strict=False)

    def outputs(self, batch: Batch) -> Sequence[Tensor]:
        """What the network makes of a batch, the final result first."""
        return through(self.network, batch)

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """Give the loss of a batch.

        Raises:
            Diverged: It is not finite.
        """
        outputs = self.outputs(batch)
        loss = multi_level(self.loss, outputs, batch.sharp)
        if not bool(torch.isfinite(loss)):
            root, step = Path(self.trainer.default_root_dir), self.global_step
            path = root / f"not-finite-step-{step}-rank-{self.global_rank}.safetensors"
            save_batch(batch, outputs, path)
            raise Diverged(
                f"the loss of step {step} is {loss.item()}: {path} has its pairs "
                f"({', '.join(batch.names[:3])}...) and what came of them; try a lower rate "
                "(model.lr), a longer warm-up (model.warmup), or clip gradients "
                "(trainer.gradient_clip_val)"
            )
        return loss

    def validation_step(self, batch: Batch, _index: int) -> Tensor:
        """Measure a batch, and give what the network made of it, clipped to [0, 1]."""
        output = self.outputs(batch)[0].float()
        self._note("val_loss", multi_level(self.loss, [output], batch.sharp), len(output))
        output = output.clamp(0, 1)
        for name in self.scores:
            if name == "ssim" and min(output.shape[-2:]) < _SSIM_SIDE:
                continue
            score = SCORES[name]
            self._note(f"val_{name}", score(output, batch.sharp).mean(), len(output))
            self._note(f"val_{name}_input", score(batch.blurred, batch.sharp).mean(), len(output))
        return output

    def _note(self, name: str, value: Tensor, weight: int) -> None:
        meter: Any = self.meters[name]
        meter.update(value, weight)

    def on_validation_epoch_end(self) -> None:
        """Bring the means of all processes together: every picture counts once."""
        found: Mapping[str, Any] = dict(self.meters.items())
        self.validated = {name: float(meter.compute()) for name, meter in found.items()}
        for meter in found.values():
            meter.reset()
        self.log_dict(self.validated, logger=False)

    def configure_optimizers(self) -> Any:
        """Build the optimiser and its schedule, as Lightning wants them."""
        steps = self.trainer.max_steps
        built = optimizer(parameters=self.network.parameters(), **self.optimizer_of)  # type: ignore[arg-type]
        if self.begun is not None:
            self.begun.remind(built, self.network)
        rates = schedule(built=built, steps=steps, **self.schedule_of)  # type: ignore[arg-type]
        config: dict[str, Any] = {"scheduler": rates, "interval": "step"}
        if isinstance(rates, ReduceLROnPlateau):
            config |= {"monitor": "val_loss", "frequency": int(self.trainer.val_check_interval)}
        return {"optimizer": built, "lr_scheduler": config}


def _build(
    name: str, variant: str | None, arguments: Mapping[str, Any], weights: str | None
) -> Network:
    """Build the network, or load it.

    Raises:
        ParameterError: There is no such network, or it has no such arguments.
        WeightsError: The weights are not of this architecture.
    """
    found = find(name, variant)
    if weights is not None:
        network = load_network(weights)
        if not isinstance(network, found.architecture):
            raise ParameterError(f"weights {weights} are of {network.title}, not of {name}")
        return network.train()
    try:
        return found.architecture(**{**found.arguments, **arguments})
    except TypeError as error:
        raise ParameterError(f"arguments do not fit {name}: {error}") from error
