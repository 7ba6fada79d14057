"""What a lens profile is, in words and for JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unblur.lens import LensProfile

__all__ = ["facts", "measured", "summary"]


def facts(profile: "LensProfile") -> dict[str, Any]:
    """For JSON."""
    return {
        "frame": list(profile.frame),
        "grid": list(profile.field.grid),
        "kernel_size": profile.field.kernel_size[0],
        "channels": profile.field.channels,
        "confidence": profile.confidence.tolist(),
        "prior": profile.prior is not None,
        **asdict(profile.shot),
        "measured": dict(profile.measured),
    }


def measured(found: Mapping[str, Any]) -> Iterator[str]:
    """What calibration found on the way, a line each; what a profile does not tell is left out."""
    for number, pair in enumerate(found.get("pairs", ()), 1):
        down, across = pair["shift"]
        yield (
            f"pair {number}: turned by {pair['degrees']:.2f} degrees, scaled by "
            f"{pair['scale']:.4f}, shifted by {across:.2f} x {down:.2f} pixels"
        )
    words = {"gain": "exposure, blurred to sharp", "residual": "not explained, of white"}
    for name, label in words.items():
        if name in found:
            yield f"{label}: " + ", ".join(f"{value:.4f}" for value in found[name])
    if "cells_trusted" in found:
        yield f"cells that can be trusted: {100 * found['cells_trusted']:.0f} %"
    yield from (f"warning: {words}" for words in found.get("warnings", ()))


def summary(profile: "LensProfile") -> str:
    """In one line."""
    rows, columns = profile.field.grid
    height, width = profile.frame
    side = profile.field.kernel_size[0]
    prior = ", with a distortion prior" if profile.prior is not None else ""
    return (
        f"{profile.shot}; frame {width} x {height}, {columns} x {rows} cells, kernels "
        f"{side} x {side}, confidence {float(profile.confidence.mean()):.2f}{prior}"
    )
