"""A run from its configuration to its weights."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import EMAWeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from lightning_utilities.core.rank_zero import rank_zero_only

from unblur.errors import ParameterError
from unblur.files import shown
from unblur.train.curves import Curves
from unblur.train.data import Pictures
from unblur.train.keeping import Checkpoints, latest, step_of
from unblur.train.leaving import Gallery, Weights
from unblur.train.restoration import Restoration
from unblur.train.settings import FIXED, Keeping, claim, parse, parser, plain
from unblur.train.state import Begin, Travel
from unblur.train.stream import Phase
from unblur.train.whitening import Whiten

__all__ = ["first_process", "fit", "train"]

_KEEPING = Keeping()
_NO_NOTES: Mapping[str, Any] = {}


def train(
    config: str,
    overrides: Sequence[str] = (),
    *,
    folder: Path,
    resume: bool = False,
    say: Callable[[str], None] | None = None,
    more: Sequence[Callback] = (),
) -> Path:
    """Train, and give the file of the weights.

    Args:
        config: the name of a configuration, or its file.
        overrides: words such as `--model.lr`, `1e-4`.
        folder: for all that the run leaves: config.yaml, checkpoints/, pictures/, curves.csv,
            curves.png, weights.safetensors, state/.
        resume: go on from the last checkpoint in the folder; start where there is none, and do
            nothing where it is that of the last step.
        say: prints a line.
        more: further callbacks of Lightning's.

    Raises:
        ParameterError: The configuration is not possible, or not that of the run to go on with.
        OutputError: The folder holds a run already, or cannot be written.
        Stopped: A signal came; the run can go on later.
        Diverged: The loss is no longer finite.
    """
    settings = parse(config, overrides)
    if first_process():
        claim(folder, settings, resume=resume)
    with _calm():
        seed_everything(settings.seed, verbose=False)
        built = parser().instantiate(settings)
    built.data.seed = settings.seed
    return fit(
        built.model,
        built.data,
        folder=folder,
        trainer=vars(built.trainer),
        keep=built.keep,
        resume=resume,
        say=say,
        more=more,
        notes={"config": plain(settings)},
    )


def fit(
    model: Restoration,
    data: Pictures,
    *,
    folder: Path,
    trainer: Mapping[str, Any],
    keep: Keeping = _KEEPING,
    resume: bool = False,
    say: Callable[[str], None] | None = None,
    more: Sequence[Callback] = (),
    notes: Mapping[str, Any] = _NO_NOTES,
) -> Path:
    """Train a model on data, and give the file of the weights: what `train` does, with objects.

    Args:
        model: with its network; seed the random numbers before it is built.
        data: of `Pictures` or a class that overrides its `sources`.
        folder: as for `train`; without config.yaml.
        trainer: of Lightning's `Trainer`: max_steps and val_check_interval must be there.
        keep: what is kept.
        resume: as for `train`.
        say: prints a line.
        more: further callbacks of Lightning's.
        notes: to write beside the weights; anything that JSON holds.

    Raises:
        ParameterError: `trainer` does not say how long the run is, or when to validate.
        Stopped: A signal came; the run can go on later.
        Diverged: The loss is no longer finite.
    """
    for name in ("max_steps", "val_check_interval"):
        if not isinstance(trainer.get(name), int) or trainer[name] < 1:
            raise ParameterError(
                f"trainer.{name} must be a whole number from 1 on, got {trainer.get(name)}"
            )
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.safetensors"
    say = say if first_process() else None
    checkpoint = latest(folder / "checkpoints") if resume else None
    if checkpoint and step_of(checkpoint) >= trainer["max_steps"] and not weights.is_file():
        # It was ended between the two: the last steps are taken again.
        checkpoint = latest(folder / "checkpoints", before=trainer["max_steps"])
    if checkpoint and step_of(checkpoint) >= trainer["max_steps"]:
        if say is not None:
            say(
                f"{shown(folder)} is finished, at step {step_of(checkpoint)}: more steps "
                "(--trainer.max_steps) go on from there"
            )
        return weights
    with _calm():
        phases = data.phases(trainer["max_steps"])
        callbacks = _callbacks(folder, keep, {**notes, "data": data.title}, phases, say)
        begin = [Whiten()] if model.whiten else []
        built = _trainer(trainer, folder, [*begin, *callbacks, *more])
        if say is not None:
            _announce(say, model, data, built, checkpoint)
        built.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    if say is not None:
        say(f"wrote {shown(weights)}")
    return weights


def first_process() -> bool:
    """Whether this is the one process of a run that writes and speaks."""
    return not getattr(rank_zero_only, "rank", 0)


@contextmanager
def _calm() -> Iterator[None]:
    """Leave out what Lightning says to people who write trainers."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for message in (
            ".*does not have many workers",
            ".*to speed up the dataloader worker initialization",
            ".*is smaller than the logging interval",
            ".*isinstance.treespec, LeafSpec",
            ".*GPU available but not used",
        ):
            warnings.filterwarnings("ignore", message)
        yield


def _trainer(settings: Mapping[str, Any], folder: Path, callbacks: list[Callback]) -> Trainer:
    board = find_spec("tensorboard") is not None
    return Trainer(
        **{**settings, **FIXED},
        callbacks=callbacks,
        logger=TensorBoardLogger(folder, name="", version="tensorboard") if board else False,
        default_root_dir=folder,
        enable_progress_bar=False,
    )


def _callbacks(
    folder: Path,
    keep: Keeping,
    notes: Mapping[str, Any],
    phases: Sequence[Phase],
    say: Callable[[str], None] | None,
) -> list[Callback]:
    def batch(step: int) -> int:
        return next(phase.batch for phase in phases if step < phase.until)

    averaging = EMAWeightAveraging(decay=keep.ema) if keep.ema else None
    average = [] if averaging is None else [averaging, Begin(averaging)]
    return [
        Checkpoints(folder / "checkpoints", every=keep.every, keep=keep.checkpoints),
        Gallery(folder / "pictures", rows=keep.pictures),
        Curves(folder, every=keep.figures, batch=batch, say=say),
        Travel(folder / "state", averaging),
        *average,
        # After the average has become the weights.
        Weights(folder / "weights.safetensors", notes),
    ]


def _announce(
    say: Callable[[str], None],
    model: Restoration,
    data: Pictures,
    trainer: Trainer,
    checkpoint: Path | None,
) -> None:
    train, kept = data.found
    weights = sum(entry.numel() for entry in model.network.parameters())
    say(
        f"{model.name}: {weights / 1e6:.2f} M weights; {len(train)} pictures to train with, "
        f"{len(kept)} to validate with; {trainer.max_steps} steps on {trainer.num_devices} x "
        f"{trainer.strategy.root_device.type}"
        + (f"; going on from {shown(checkpoint)}" if checkpoint else "")
    )
