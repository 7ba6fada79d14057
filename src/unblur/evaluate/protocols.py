"""The protocols: which pictures, and how a restored one meets its truth."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from unblur import datasets
from unblur.datasets import Dataset
from unblur.errors import ParameterError
from unblur.evaluate.comparisons import (
    REGISTERED,
    REGISTERED_FROM_SHIFT,
    WHOLE,
    Comparison,
    shifted,
)
from unblur.evaluate.kohler import KOHLER
from unblur.evaluate.levin import LEVIN

__all__ = ["PROTOCOLS", "Protocol", "find", "settle"]

Alignment = Literal["given", "checked", "absent"]


@dataclass(frozen=True)
class Protocol:
    """A data set and the way to score on it.

    Attributes:
        name: as users type it.
        summary: what it measures, one line.
        reader: gives the data set of a folder and a variant.
        comparison: how a restored picture meets its truth.
        variants: which inputs the set has; the first is the usual one.
        depth: bits of the blurred pictures; None takes any.
        alignment: "given" where pairs are aligned, or aligning is a part of the comparison;
            "checked" where each pair is looked at; "absent" where it is known that they are not.
        kernels: whether the set has the true kernels, for methods that need one.
    """

    name: str
    summary: str
    reader: Callable[[Path, str], Dataset]
    comparison: Comparison
    variants: tuple[str, ...] = ("",)
    depth: int | None = 8
    alignment: Alignment = "given"
    kernels: bool = False


PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        name="gopro",
        summary="GoPro: moving people and hands, means of 7 to 13 frames",
        reader=datasets.gopro,
        comparison=WHOLE,
        variants=("blur", "blur_gamma"),
    ),
    Protocol(
        name="hide",
        summary="HIDE: people close and far",
        reader=datasets.hide,
        comparison=WHOLE,
        variants=("all", "close-ups", "long-shot"),
    ),
    Protocol(
        name="reds",
        summary="REDS: moving camera, many scenes",
        reader=datasets.reds,
        comparison=WHOLE,
        variants=("blur", "blur_jpeg"),
    ),
    Protocol(
        name="realblur-j",
        summary="RealBlur-J: a real camera, JPEG; aligned before it is scored",
        reader=lambda root, _: datasets.realblur(root, "j"),
        comparison=REGISTERED,
    ),
    Protocol(
        name="realblur-r",
        summary="RealBlur-R: a real camera, from raw; aligned before it is scored",
        reader=lambda root, _: datasets.realblur(root, "r"),
        comparison=REGISTERED,
    ),
    Protocol(
        name="rsblur",
        summary="RSBlur: two sensors behind one lens; aligned before it is scored",
        reader=datasets.rsblur,
        comparison=REGISTERED,
    ),
    Protocol(
        name="dpdd",
        summary="DPDD: defocus of a real camera, 16 bit",
        reader=datasets.dpdd,
        comparison=WHOLE,
        depth=16,
    ),
    Protocol(
        name="levin",
        summary="Levin 2009: 32 captures with their kernels",
        reader=datasets.levin,
        comparison=LEVIN,
        variants=("size-unknown", "size-given"),
        depth=32,
        kernels=True,
    ),
    Protocol(
        name="kohler",
        summary="Köhler 2012: 48 recorded camera shakes",
        reader=datasets.kohler,
        comparison=KOHLER,
    ),
    Protocol(
        name="lai",
        summary="Lai 2016: large kernels, and recorded motions",
        reader=datasets.lai,
        comparison=shifted(20, 30),
        variants=("uniform", "nonuniform"),
    ),
    Protocol(
        name="blur-dataset",
        summary="the blur data set: many cameras, pairs that are not aligned",
        reader=datasets.blur_dataset,
        comparison=WHOLE,
        variants=("motion", "defocus"),
        alignment="absent",
    ),
    Protocol(
        name="folder",
        summary="pairs of one's own: input/ and target/, or NAME_blur and NAME_sharp",
        reader=datasets.folder,
        comparison=WHOLE,
        depth=None,
        alignment="checked",
    ),
    Protocol(
        name="sharp",
        summary="sharp pictures, which a method should leave as they are",
        reader=datasets.sharp,
        comparison=WHOLE,
        depth=None,
    ),
)


def find(name: str) -> Protocol:
    """Give the protocol of that name.

    Raises:
        ParameterError: There is none; the message names the nearest.

    Example:
        >>> find("gopro").variants
        ('blur', 'blur_gamma')
    """
    by_name = {protocol.name: protocol for protocol in PROTOCOLS}
    wanted = str(name).strip().lower().replace("_", "-")
    if wanted in by_name:
        return by_name[wanted]
    near = difflib.get_close_matches(wanted, by_name, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(by_name)}"
    raise ParameterError(f"protocol {name!r} is unknown: {hint}")


def settle(
    protocol: Protocol, variant: str | None, *, align: bool = False, as_published: bool = False
) -> tuple[Protocol, str]:
    """Choose a variant, and what is done about pairs that are not aligned.

    Args:
        protocol: one of `PROTOCOLS`.
        variant: one of its variants; None takes the usual one.
        align: align each restored picture with its truth before it is scored.
        as_published: score pairs that are not aligned as they lie, to compare with who did so.

    Returns:
        The protocol with the comparison that results, and the name of the variant in scores.

    Raises:
        ParameterError: The variant is unknown; the pairs are known not to be aligned and nothing
            is said of that; or something is said where nothing is open.

    Example:
        >>> settle(find("blur-dataset"), "motion")
        Traceback (most recent call last):
        unblur.errors.ParameterError: the pairs of blur-dataset are not aligned ...
    """
    chosen = protocol.variants[0] if variant is None else variant
    if chosen not in protocol.variants:
        known = ", ".join(protocol.variants) if protocol.variants != ("",) else "none"
        raise ParameterError(f"variant {chosen!r} of {protocol.name} is unknown: there are {known}")
    if align and as_published:
        raise ParameterError("--align and --as-published exclude each other")
    said = "aligned" if align else "as-published" if as_published else ""
    if said and protocol.alignment == "given":
        raise ParameterError(
            f"protocol {protocol.name} says itself how pictures meet their truth: it takes neither "
            "--align nor --as-published"
        )
    if not said and protocol.alignment == "absent":
        raise ParameterError(
            f"the pairs of {protocol.name} are not aligned to the pixel, so that a score would "
            "measure the misalignment: give --align to align each result with its truth, or "
            "--as-published to score them as they lie, as publications did"
        )
    if not said:
        return protocol, chosen
    comparison = REGISTERED_FROM_SHIFT if align else protocol.comparison
    settled = replace(
        protocol,
        comparison=comparison,
        alignment="given",
        # The data set knows its own variants only.
        reader=partial(_read_variant, protocol.reader, chosen),
    )
    return settled, f"{chosen}, {said}" if chosen else said


def _read_variant(
    reader: Callable[[Path, str], Dataset], variant: str, root: Path, _: str
) -> Dataset:
    return reader(root, variant)
