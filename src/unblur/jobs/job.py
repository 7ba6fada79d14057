"""What is to be done to one photograph, as pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["STREAM", "Job", "Options"]

STREAM = "-"
"""The source that is standard input, and the target that is standard output."""


@dataclass(frozen=True)
class Options:
    """How a photograph is read, restored and written.

    Sizes and regions are in pixels of the upright picture; `roi` is (x, y, width, height). Names of
    files stay texts: they may hold bytes that are no valid UTF-8.
    """

    device: str = "auto"
    max_memory: int | str | None = None
    tile: int = 0
    kernel: str | None = None
    lens: str | None = None
    save_kernel: str | None = None
    roi: tuple[int, int, int, int] | None = None
    mask: str | None = None
    strength: float = 1.0
    seed: int = 0
    encoding: Literal["auto", "srgb", "linear"] = "auto"
    nonfinite: Literal["raise", "fill"] = "raise"
    salvage: bool = False
    format: str | None = None
    quality: int = 95
    background: tuple[float, ...] | None = None
    strip_metadata: bool = False
    overwrite: bool = False
    in_place: bool = False
    previews: bool = False
    max_pixels: int = 500_000_000
    max_pages: int = 500


@dataclass(frozen=True)
class Job:
    """One photograph: where it is, where the result goes, by which method.

    `source` and `target` are names of files, or `STREAM`.
    """

    source: str
    target: str
    method: str = "l0"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
