"""What others published, with what is known of how they measured it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from unblur.evaluate.protocols import find

__all__ = ["PUBLISHED", "TABLE_1", "Published", "TimedRow", "published"]


@dataclass(frozen=True)
class Published:
    """A score that was published under one of our protocols.

    Attributes:
        protocol: its name.
        variant: of the protocol.
        method: as its authors call it.
        values: by our names of the metrics.
        source: where it is printed.
        definitions: of the metrics.
    """

    protocol: str
    variant: str
    method: str
    values: Mapping[str, float]
    source: str
    definitions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TimedRow:
    """A row of table 1 of the paper on the distortion prior.

    Attributes:
        method: as the table calls it.
        psnr: dB on GoPro; the table does not say from which of its two kinds of input.
        milliseconds: for 1280 x 720 pixels, on a Titan X.
    """

    method: str
    psnr: float
    milliseconds: float


# Only figures whose protocol is known to be ours: those of RealBlur depend on the alignment.
PUBLISHED: tuple[Published, ...] = (
    Published(
        "gopro", "blur", "MPRNet", {"psnr": 32.66, "ssim-matlab3d": 0.959}, "Zamir et al. 2021"
    ),
    Published("gopro", "blur", "MPRNet, local statistics", {"psnr": 33.31}, "Chu et al. 2022"),
    Published("gopro", "blur", "NAFNet 32", {"psnr": 32.87}, "Chen et al. 2022"),
    Published("gopro", "blur", "NAFNet 64", {"psnr": 33.71}, "Chen et al. 2022"),
    Published(
        "hide", "all", "MPRNet (GoPro)", {"psnr": 30.96, "ssim-matlab3d": 0.939},
        "Zamir et al. 2021",
    ),
)  # fmt: skip

TABLE_1: tuple[TimedRow, ...] = (
    TimedRow("Sun", 24.64, 20_000),
    TimedRow("DeepDeblur", 29.23, 4_330),
    TimedRow("DeblurGAN", 28.7, 850),
    TimedRow("AttentionNet", 28.81, 1_300),
    TimedRow("SV-RNN", 29.19, 930),
    TimedRow("SRN", 30.26, 1_870),
    TimedRow("PSS-NSC", 30.92, 1_600),
    TimedRow("DMPHN", 31.2, 424),
    TimedRow("SA-PHN", 31.85, 340),
    TimedRow("DPA-Net", 32.05, 26),
)


def published(protocol: str, variant: str) -> tuple[Published, ...]:
    """The published scores of a protocol and a variant, with the definitions of our metrics.

    Example:
        >>> [each.method for each in published("hide", "all")]
        ['MPRNet (GoPro)']
    """
    return tuple(
        replace(
            entry,
            definitions={name: find(protocol).comparison.definition(name) for name in entry.values},
        )
        for entry in PUBLISHED
        if (entry.protocol, entry.variant) == (protocol, variant)
    )
