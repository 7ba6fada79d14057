"""Lens profiles at work: whatever names one, and what a method is given of it."""

import os
from dataclasses import asdict, replace
from typing import Any

from unblur.errors import ParameterError
from unblur.lens.profile import LensProfile
from unblur.lens.shelf import find
from unblur.lens.shot import shot_of
from unblur.photo import Photo
from unblur.restore.method import Given, Method

__all__ = ["AUTO", "Lens", "as_lens", "check_lens", "lens_record", "profile_for", "with_lens"]

AUTO = "auto"
Lens = LensProfile | str | None


def check_lens(method: Method, lens: object, kernel: object) -> None:
    """Refuse what does not go together.

    Raises:
        ParameterError: A lens beside a kernel, or for a network that takes none.
    """
    if lens is None:
        return
    if kernel is not None:
        raise ParameterError("lens and kernel both say what the blur is: give one of them")
    if method.needs_weights and method.name != "dpanet":
        raise ParameterError(
            f"lens is not for method '{method.name}', a network, which sees the blur by itself: "
            "leave it out, or use 'dpanet' or a method that undoes a known blur"
        )


def as_lens(lens: Any) -> Lens:
    """A profile for a profile or a path; "auto" stays.

    Raises:
        KernelError: The file is no lens profile.
        ParameterError: It is none of these.
    """
    if lens is None or isinstance(lens, LensProfile):
        return lens
    if lens == AUTO:
        return AUTO
    if isinstance(lens, str | os.PathLike):
        return LensProfile.load(lens)
    raise ParameterError(
        f"lens must be a LensProfile, the path of one, or 'auto'; got {type(lens).__name__}"
    )


def profile_for(lens: Lens, photo: Photo) -> LensProfile | None:
    """The profile for a photo; "auto" looks it up by the names in the metadata.

    Raises:
        KernelError: No profile is for this photo.
    """
    return find(shot_of(photo)) if isinstance(lens, str) else lens


def lens_record(profile: LensProfile | None) -> dict[str, Any] | None:
    """Which profile was used, for a report: names and settings, its file and what that holds."""
    if profile is None:
        return None
    return {**asdict(profile.shot), "file": profile.file, "sha256": profile.sha256}


def with_lens(
    profile: LensProfile | None, method: Method, photo: Photo, given: Given
) -> tuple[Given, tuple[str, ...]]:
    """Add to what the caller gave what the lens knows of the photo's blur; and what to warn of.

    Raises:
        InputError: The photo is no whole frame.
        ParameterError: A network finds no prior.
    """
    if profile is None:
        return given, ()
    warnings = profile.warnings_for(photo)
    if not method.needs_weights:
        # Another picture is explained no better than the profile's own pair.
        error = profile.unexplained
        return replace(given, kernel=profile.field_for(photo), kernel_error=error), warnings
    if profile.prior is None:
        raise ParameterError(
            f"lens holds no distortion prior for method '{method.name}': calibrate it with the "
            "network's weights (--prior), or use a method that undoes a known blur"
        )
    orientation, _ = profile.fit(photo)
    return replace(given, prior=profile.prior.upright(orientation)), warnings
