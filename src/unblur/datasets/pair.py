"""A blurred picture and its truth, and a set of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from unblur.blur import Kernel
from unblur.photo import Photo, read

__all__ = ["Dataset", "Pair"]


@dataclass(frozen=True)
class Pair:
    """A blurred picture, its truth where there is one, and its place in the set.

    Attributes:
        name: unlike all others of the set; `/` separates the sequence from the frame.
        blurred: the file.
        sharp: the file of the truth, or None.
        group: what pictures have in common: a sequence, a scene, a kind of blur.
        frames: files of several truths, of which the nearest counts (a trajectory).
    """

    name: str
    blurred: Path
    sharp: Path | None = None
    group: str = ""
    frames: tuple[Path, ...] = ()

    def read_blurred(self) -> Photo:
        """Read the blurred picture.

        Raises:
            InputError: The file cannot be read as a picture.
        """
        return read(self.blurred)

    def read_sharp(self) -> Photo | None:
        """Read the truth; None where there is none.

        Raises:
            InputError: The file cannot be read as a picture.
        """
        return None if self.sharp is None else read(self.sharp)

    def kernel(self) -> Kernel | None:
        """The true kernel, where the set has it: blurred = sharp * kernel, a true convolution."""
        return None


@dataclass(frozen=True)
class Dataset:
    """Pairs, listed anew at each iteration.

    Attributes:
        name: of the set.
        variant: which of the set's inputs these are; empty where there is but one kind.
        root: the folder that was given.
        listing: gives the pairs in their order.
        count: pairs of the published set; None where nothing is published.
        truth: what the files of the truth are named, for sets that may come without.
    """

    name: str
    variant: str
    root: Path
    listing: Callable[[], Iterator[Pair]]
    count: int | None = None
    truth: str = "a sharp picture for each blurred one"

    def __iter__(self) -> Iterator[Pair]:
        return self.listing()
