"""Where examples come from: folders of sharp pictures, and pairs of published data sets.

An example is a pure function of the picture and of a generator, so that a run that goes on after a
stop, other numbers of workers, and other numbers of processes see the same pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from unblur.blur.synthesis import Synthesis, draw
from unblur.blur.synthesis.lots import Lots
from unblur.datasets import Pair
from unblur.errors import InputError
from unblur.photo import Photo
from unblur.train.batch import Batch, Crops

__all__ = ["Pairs", "Sharp", "Shelf", "Source"]


class Source(Protocol):
    """What a data loader asks for examples."""

    def __len__(self) -> int:
        """How many pictures or pairs there are."""

    def example(self, index: int, patch: int, generator: torch.Generator) -> Batch | Crops:
        """Make a batch of one of the picture `index`; patch 0 asks for all of it."""


class Shelf:
    """Pictures read once and kept, as long as there is room.

    What does not fit is read again each time. Nothing gives way: in rounds over all pictures the
    one that was used last is the one that is wanted last.

    Args:
        megabytes: to keep. Each worker has a shelf of its own.
    """

    def __init__(self, megabytes: int) -> None:
        self.room = megabytes * 2**20
        self.kept: dict[tuple[str, str], Tensor] = {}

    def blurred(self, pair: Pair, side: int = 0) -> Tensor:
        """The blurred picture of a pair, (1, 3, H, W); scaled to `side` x `side` if that is set."""
        return self._take(("blurred", pair.name), pair, side)

    def sharp(self, pair: Pair, side: int = 0) -> Tensor:
        """The truth of a pair, likewise.

        Raises:
            InputError: It has none.
        """
        return self._take(("sharp", pair.name), pair, side)

    def _take(self, key: tuple[str, str], pair: Pair, side: int) -> Tensor:
        if key in self.kept:
            return self.kept[key]
        photo = pair.read_blurred() if key[0] == "blurred" else pair.read_sharp()
        if photo is None:
            raise InputError(f"{pair.name} has no sharp picture to train with")
        picture = _values(photo, side)
        size = picture.numel() * picture.element_size()
        if size <= self.room:
            self.kept[key] = picture
            self.room -= size
        return picture


def _values(photo: Photo, side: int) -> Tensor:
    """The first page in colour: uint8 if that is what the file has, floats otherwise."""
    picture = photo.samples[:1] if photo.depth == 8 else photo.encoded()[:1]
    picture = picture.expand(-1, 3, -1, -1)
    if side:
        floats = picture.float() / (255 if picture.dtype == torch.uint8 else 1)
        floats = interpolate(floats, (side, side), mode="bilinear", antialias=True)
        picture = floats.mul_(255).round_().to(torch.uint8) if photo.depth == 8 else floats
    return picture.contiguous()


def _floats(picture: Tensor) -> Tensor:
    return picture.float() / 255 if picture.dtype == torch.uint8 else picture


def _turned(picture: Tensor, turns: int, mirrored: bool) -> Tensor:
    picture = torch.rot90(picture, turns, (-2, -1))
    return (picture.flip(-1) if mirrored else picture).contiguous()


def _corner(size: Sequence[int], side: int, lots: Lots | None, name: str) -> tuple[int, int]:
    """Where a crop begins: anywhere, or in the middle without lots."""
    if min(size) < side:
        raise InputError(
            f"{name} has {size[1]} x {size[0]} pixels, and crops need {side} (the patch and the "
            "margins of the blur): take smaller patches, or leave the picture out"
        )
    spare = [length - side for length in size]
    if lots is None:
        return spare[0] // 2, spare[1] // 2
    return lots.below(spare[0] + 1), lots.below(spare[1] + 1)


@dataclass(frozen=True)
class Sharp:
    """Sharp pictures that are blurred as `settings` say.

    Attributes:
        pictures: whose truth is taken.
        settings: of the synthesis.
        shelf: keeps what was read.
        augment: turn and mirror crops, and take them anywhere; otherwise they are the middle.
        calibrate: add a reference of another picture under the same blur.
        side: scale pictures to this many pixels square first; 0 leaves them.
    """

    pictures: Sequence[Pair]
    settings: Synthesis
    shelf: Shelf = field(default_factory=lambda: Shelf(512))
    augment: bool = True
    calibrate: bool = False
    side: int = 0

    def __len__(self) -> int:
        return len(self.pictures)

    def example(self, index: int, patch: int, generator: torch.Generator) -> Crops:
        """Cut a crop, and draw what shall happen to it; patch 0 takes the largest square."""
        lots = Lots(generator)
        pair = self.pictures[index]
        if patch == 0:
            patch = min(self.shelf.sharp(pair, self.side).shape[-2:]) - 2 * self.settings.margin
        crop = self._crop(pair, patch, lots)
        others = None
        if self.calibrate:
            others = self._crop(self.pictures[lots.below(len(self))], patch, lots)
        plans = draw(self.settings, 1, (patch, patch), generator)
        return Crops(crop, plans, self.settings, (pair.name,), others)

    def _crop(self, pair: Pair, patch: int, lots: Lots) -> Tensor:
        picture = self.shelf.sharp(pair, self.side)
        side = patch + 2 * self.settings.margin
        top, left = _corner(picture.shape[-2:], side, lots if self.augment else None, pair.name)
        crop = picture[..., top : top + side, left : left + side]
        return _turned(crop, lots.below(4), lots.chance(0.5)) if self.augment else crop


@dataclass(frozen=True)
class Pairs:
    """Pairs as a data set has them, cut at the same place.

    Attributes:
        pairs: of a reader in `unblur.datasets`.
        shelf: keeps what was read.
        augment: turn and mirror crops, and take them anywhere; otherwise they are the middle.
        side: scale pictures to this many pixels square first; 0 leaves them.
    """

    pairs: Sequence[Pair]
    shelf: Shelf = field(default_factory=lambda: Shelf(512))
    augment: bool = True
    side: int = 0

    def __len__(self) -> int:
        return len(self.pairs)

    def example(self, index: int, patch: int, generator: torch.Generator) -> Batch:
        """Cut both pictures of a pair; patch 0 takes them whole.

        Raises:
            InputError: The two have different sizes, or are smaller than the patch.
        """
        lots, pair = Lots(generator), self.pairs[index]
        blurred, sharp = self.shelf.blurred(pair, self.side), self.shelf.sharp(pair, self.side)
        if blurred.shape != sharp.shape:
            raise InputError(
                f"{pair.name}: blurred {tuple(blurred.shape[-2:])} and sharp "
                f"{tuple(sharp.shape[-2:])} differ in size; scale them to one (--data.side)"
            )
        if patch:
            place = lots if self.augment else None
            top, left = _corner(blurred.shape[-2:], patch, place, pair.name)
            window = (..., slice(top, top + patch), slice(left, left + patch))
            blurred, sharp = blurred[window], sharp[window]
        if self.augment:
            turns, mirrored = lots.below(4), lots.chance(0.5)
            blurred, sharp = (_turned(each, turns, mirrored) for each in (blurred, sharp))
        return Batch(_floats(blurred), _floats(sharp), (pair.name,))


def hold_out(
    pairs: Sequence[Pair], count: int, generator: torch.Generator, *, by_group: bool
) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into those to train with, and at least `count` to validate with.

    Args:
        pairs: all there are.
        count: to hold out; 0 holds out none.
        generator: chooses.
        by_group: hold out whole groups, such as sequences, whose frames are alike.

    Raises:
        InputError: Nothing is left to train with.

    Example:
        >>> from pathlib import Path
        >>> pairs = [Pair(str(n), Path("x"), group=str(n // 2)) for n in range(6)]
        >>> train, kept = hold_out(pairs, 1, torch.Generator().manual_seed(0), by_group=True)
        >>> len(train), len({pair.group for pair in kept})
        (4, 1)
    """
    groups = list(dict.fromkeys(pair.group if by_group else pair.name for pair in pairs))
    order = torch.randperm(len(groups), generator=generator).tolist()
    chosen: set[str] = set()
    kept: list[Pair] = []
    for place in order:
        if len(kept) >= count:
            break
        chosen.add(groups[place])
        kept = [pair for pair in pairs if (pair.group if by_group else pair.name) in chosen]
    left = [pair for pair in pairs if (pair.group if by_group else pair.name) not in chosen]
    if not left:
        raise InputError(
            f"{len(pairs)} pictures in {len(groups)} groups leave none to train with when {count} "
            "are held out: hold out fewer (--data.held_out), or name a folder (--data.validation)"
        )
    return left, kept
