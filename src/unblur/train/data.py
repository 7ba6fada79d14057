"""The data of a run: pictures found, split, cut, blurred, and shared among processes."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader
from typing_extensions import override

from unblur import datasets
from unblur.blur.synthesis import Synthesis
from unblur.datasets import Dataset, Pair
from unblur.errors import InputError, ParameterError
from unblur.train.batch import Batch, Crops, join
from unblur.train.deconvolved import Deconvolution, Deconvolved
from unblur.train.sources import Pairs, Sharp, Shelf, Source, hold_out
from unblur.train.stream import Examples, Phase, Steps, Ticket, generator_of

__all__ = ["READERS", "Pictures"]

READERS: Mapping[str, Any] = {
    "sharp": datasets.sharp,
    "folder": datasets.folder,
    "gopro": datasets.gopro,
    "hide": datasets.hide,
    "reds": datasets.reds,
    "dpdd": datasets.dpdd,
    "realblur": datasets.realblur,
    "rsblur": datasets.rsblur,
    "blur-dataset": datasets.blur_dataset,
}

_SYNTHESIS = Synthesis()
# Validation draws from numbers of its own.
_APART = 2**40
# Seconds after which a worker that gives nothing is an error.
_TIMEOUT = 600


class Pictures(LightningDataModule):
    """Pictures of a folder, as a stream of examples for training and a list for validation.

    Args:
        root: the folder of the pictures.
        reader: of `READERS`: "sharp" for pictures to be blurred, otherwise the layout of the pairs.
        variant: of the data set, such as "blur_gamma"; the reader's own first if not given.
        split: of the data set, such as "train", where the reader has several.
        validation: another folder, of the same layout, to validate with.
        held_out: how many pictures to validate with, where no folder is named.
        by_group: hold out whole groups, such as sequences, whose frames are alike.
        patch: side of the patches in pixels; 0 takes pictures whole.
        batch: pairs in a step, over all processes together.
        progressive: patches and batches of other sizes at first: each holds until a step.
        validation_patch: side of the middle that is validated with; 0 takes pictures whole.
        side: scale pictures to this many pixels square first; 0 leaves them.
        augment: turn and mirror patches, and take them anywhere.
        calibrate: add to each pair another one under the same blur (of "sharp" only).
        synthesis: how sharp pictures are blurred.
        deconvolution: what is done to them then, for a network that finishes it.
        seed: of the split, the order, the crops and the blurs.
        workers: processes that read and blur; one for each core but one if not given.
        cache: megabytes of pictures that each of them keeps.
    """

    def __init__(
        self,
        root: str,
        *,
        reader: str = "sharp",
        variant: str | None = None,
        split: str | None = None,
        validation: str | None = None,
        held_out: int = 16,
        by_group: bool = False,
        patch: int = 256,
        batch: int = 16,
        progressive: Sequence[Phase] = (),
        validation_patch: int = 256,
        side: int = 0,
        augment: bool = True,
        calibrate: bool = False,
        synthesis: Synthesis = _SYNTHESIS,
        deconvolution: Deconvolution | None = None,
        seed: int = 0,
        workers: int | None = None,
        cache: int = 512,
    ) -> None:
        super().__init__()
        if reader not in READERS:
            raise ParameterError(f"reader must be one of {', '.join(READERS)}, got {reader!r}")
        if calibrate and reader != "sharp":
            raise ParameterError("calibrate needs blurs that can be repeated: reader 'sharp'")
        self.root, self.reader, self.variant, self.split = root, reader, variant, split
        self.validation, self.held_out, self.by_group = validation, held_out, by_group
        self.patch, self.batch, self.progressive = patch, batch, tuple(progressive)
        self.validation_patch, self.side = validation_patch, side
        self.augment, self.calibrate, self.synthesis = augment, calibrate, synthesis
        self.deconvolution = deconvolution
        self.seed, self.workers, self.cache = seed, workers, cache
        self._sources: tuple[Source, Source] | None = None

    def sources(self) -> tuple[Source, Source]:
        """What is trained with, and what is validated with; override it for other pictures.

        Raises:
            InputError: The folder is not laid out as the reader expects, or holds too little.
        """
        pairs = self._listed(self.root)
        if self.validation is not None:
            kept = self._listed(self.validation)
        else:
            chance = generator_of(self.seed, _APART)
            pairs, kept = hold_out(pairs, self.held_out, chance, by_group=self.by_group)
        return self._source(pairs, augment=self.augment), self._source(kept, augment=False)

    def _listed(self, root: str) -> list[Pair]:
        named = {"variant": self.variant, "split": self.split}
        options = {name: value for name, value in named.items() if value is not None}
        try:
            dataset: Dataset = READERS[self.reader](Path(root), **options)
        except TypeError as error:
            raise ParameterError(f"reader {self.reader} takes no {' or '.join(options)}") from error
        return list(dataset)

    def _source(self, pairs: list[Pair], *, augment: bool) -> Source:
        shelf = Shelf(self.cache)
        if self.reader == "sharp" and self.deconvolution is not None and pairs:
            made = Sharp(pairs, self.synthesis, shelf)
            count = self.deconvolution.crops if augment else 2 * len(pairs)
            part = "train" if augment else "validation"
            return Deconvolved(made, self.deconvolution, part, count, self.seed, augment)
        if self.reader == "sharp":
            return Sharp(pairs, self.synthesis, shelf, augment, self.calibrate, self.side)
        return Pairs(pairs, shelf, augment, self.side)

    @override
    def setup(self, stage: str) -> None:
        """Find the pictures; Lightning calls this in each process."""
        if self._sources is None:
            self._sources = self.sources()
        train, kept = self.found
        world = self.trainer.world_size if self.trainer is not None else 1
        if 0 < len(kept) < world:
            raise InputError(
                f"{len(kept)} pictures to validate with cannot be shared by {world} processes"
            )
        if len(train) == 0:
            raise InputError(f"there are no pictures to train with in {self.root}")

    @property
    def title(self) -> str:
        """What the data are, for those who read the weights' card."""
        words = [self.reader, self.variant or "", self.split or "", "in", Path(self.root).name]
        return " ".join(filter(None, words))

    @property
    def found(self) -> tuple[Source, Source]:
        """What `sources` gave."""
        if self._sources is None:
            self._sources = self.sources()
        return self._sources

    def phases(self, steps: int) -> list[Phase]:
        """The whole run of so many steps."""
        early = [phase for phase in self.progressive if phase.until < steps]
        rest = [phase for phase in self.progressive if phase.until >= steps][:1]
        last = rest[0] if rest else Phase(steps, self.patch, self.batch)
        return [*early, Phase(steps, last.patch, last.batch)]

    def train_dataloader(self) -> DataLoader[Batch | Crops]:
        """Give the batches of this process, from the step on at which the run stands."""
        trainer = self._running()
        steps = Steps(
            self.phases(trainer.max_steps),
            start=trainer.global_step,
            rank=trainer.global_rank,
            world=trainer.world_size,
            parts=trainer.accumulate_grad_batches,
        )
        examples = Examples(self.found[0], self.seed, render=not self._on_device())
        workers = self._workers()
        return _Loader(
            examples,
            batch_sampler=steps,
            num_workers=workers,
            collate_fn=join,
            worker_init_fn=_ignore_signals,
            # A forked process would inherit the locks of threads that it does not have.
            multiprocessing_context="spawn" if workers else None,
            timeout=_TIMEOUT if workers else 0,
        )

    def val_dataloader(self) -> DataLoader[Batch | Crops] | list[Any]:
        """Give the pictures that this process validates with: no picture is given twice."""
        trainer, kept = self._running(), self.found[1]
        if len(kept) == 0:
            return []
        mine = range(trainer.global_rank, len(kept), trainer.world_size)
        examples = Examples(kept, self.seed + _APART, shuffled=False, render=not self._on_device())
        return DataLoader(
            examples,
            batch_sampler=[[Ticket(number, self.validation_patch)] for number in mine],
            collate_fn=join,
        )

    @override
    def on_after_batch_transfer(self, batch: Batch | Crops, dataloader_idx: int) -> Batch:
        """Render what was not rendered by a worker, on the device."""
        return batch.render() if isinstance(batch, Crops) else batch

    def _running(self) -> Any:
        if self.trainer is None:
            raise ParameterError("Pictures gives batches to a trainer only")
        return self.trainer

    def _on_device(self) -> bool:
        return bool(self._running().strategy.root_device.type != "cpu")

    def _workers(self) -> int:
        if self.workers is not None:
            return self.workers
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return max((os.cpu_count() or 1) // here - 1, 1)


class _Loader(DataLoader[Batch | Crops]):
    """A loader that goes on where the run stands, which its batch sampler sees to."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the step says it all."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to do."""


def _ignore_signals(_worker: int) -> None:
    """Leave it to the main process to stop: it finishes the step, and needs its pictures."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
