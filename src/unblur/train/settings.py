"""The settings of a run: a file, what the command line has in its place, and the folder's own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import (  # type: ignore[attr-defined]
    ActionConfigFile,
    ArgumentError,
    ArgumentParser,
    Namespace,
)
from lightning import Trainer

from unblur.errors import OutputError, ParameterError
from unblur.files import shown, write_whole
from unblur.train.data import Pictures
from unblur.train.keeping import latest
from unblur.train.names import config_file
from unblur.train.restoration import Restoration

__all__ = ["FIXED", "Keeping", "claim", "parse", "parser", "plain"]

# What a run decides by itself: the whole of it is one epoch, counted in steps.
FIXED: dict[str, Any] = {
    "max_epochs": -1,
    "check_val_every_n_epoch": None,
    "num_sanity_val_steps": 0,
    "use_distributed_sampler": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}
_OURS = {
    "callbacks",
    "logger",
    "default_root_dir",
    "max_time",
    "min_epochs",
    "min_steps",
    "enable_progress_bar",
    "reload_dataloaders_every_n_epochs",
    "fast_dev_run",
    "overfit_batches",
    "profiler",
    "plugins",
    "enable_autolog_hparams",
    "model_registry",
    *FIXED,
}


@dataclass(frozen=True)
class Keeping:
    """What is kept of a run.

    Attributes:
        every: steps from one checkpoint to the next.
        checkpoints: how many to keep; 0 keeps all.
        figures: steps from one row of the curves to the next.
        pictures: pairs to show at each validation.
        ema: share of the average of weights that a step keeps; 0 for no average. The average is
            what is validated, and what is written at the end.
    """

    every: int = 1000
    checkpoints: int = 2
    figures: int = 50
    pictures: int = 4
    ema: float = 0.999


def parser() -> ArgumentParser:
    """The parser of configurations: sections model, data, trainer and keep, and a seed."""
    built = ArgumentParser(prog="unblur train", exit_on_error=False)
    built.add_argument("--config", action=ActionConfigFile)
    built.add_argument("--seed", type=int, default=0, help="Of all that is random.")
    built.add_class_arguments(Restoration, "model", sub_configs=False)
    built.add_class_arguments(Pictures, "data", skip={"seed"}, sub_configs=False)
    built.add_class_arguments(Keeping, "keep")
    built.add_class_arguments(Trainer, "trainer", skip=_OURS, instantiate=False)
    built.set_defaults({"trainer.max_steps": 100_000, "trainer.val_check_interval": 1000})
    return built


def parse(config: str, overrides: Sequence[str] = (), *, root: str | None = None) -> Namespace:
    """Read a configuration, and what the command line has in its place.

    Args:
        config: the name of a configuration, or its file.
        overrides: words such as `--model.lr`, `1e-4`.
        root: what `data.root` is where neither says; it must be said if not given.

    Raises:
        InputError: There is no such configuration.
        ParameterError: A key or a value in it is not possible.
    """
    first = [] if root is None else ["--data.root", root]
    words = [*first, "--config", str(config_file(config)), *overrides]
    try:
        found: Namespace = parser().parse_args(words)
    except (ArgumentError, SystemExit) as error:
        message = " ".join(str(error).split())
        raise ParameterError(f"{shown(config)}: {message}") from error
    return found


def claim(folder: Path, settings: Namespace, *, resume: bool) -> None:
    """Make the folder of a run, or check that it is the folder of this one.

    A run that left neither a checkpoint nor weights has nothing to lose: another begins there.

    Raises:
        OutputError: It holds a run already, or cannot be made.
        ParameterError: It holds a run with other settings of the model or the data.
    """
    there = folder / "config.yaml"
    learned = latest(folder / "checkpoints") or (folder / "weights.safetensors").is_file()
    if there.is_file() and learned:
        if not resume:
            raise OutputError(
                f"{shown(folder)} holds a run already: go on with it (--resume), or choose another "
                "folder (--output)"
            )
        old = plain(parse(str(there)))
        changed = [
            key
            for key in _changed(old, plain(settings))
            if not key.startswith(("keep.", "trainer."))
        ]
        if changed:
            raise ParameterError(
                f"{', '.join(changed)} differ from {shown(there)}: --resume goes on with the run "
                "as it was"
            )
    try:
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{shown(folder)} cannot be made: {error.strerror or error}") from error
    write_whole(there, parser().dump(settings).encode(), overwrite=True)


def plain(settings: Namespace) -> Any:
    """The settings as dictionaries, lists, numbers and texts."""
    return json.loads(parser().dump(settings, format="json"))


def _changed(old: Any, new: Any, name: str = "") -> list[str]:
    """The keys whose values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [
            each
            for key in keys
            for each in _changed(old.get(key), new.get(key), f"{name}.{key}" if name else key)
        ]
    return [] if old == new else [name]
