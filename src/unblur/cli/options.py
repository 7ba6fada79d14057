"""The options of the commands, one line of help each; a command picks those it takes."""

from typing import Annotated

from typer import Argument, Option

__all__ = [
    "AsJson",
    "Background",
    "Device",
    "Encoding",
    "Format",
    "InPlace",
    "KernelFile",
    "KernelSize",
    "LensFile",
    "Mask",
    "MaxMemory",
    "MethodName",
    "NonFinite",
    "Output",
    "Overwrite",
    "Quality",
    "Quiet",
    "Region",
    "Report",
    "Salvage",
    "SaveKernel",
    "Seed",
    "Setting",
    "Source",
    "Sources",
    "Strength",
    "StripMetadata",
    "Suffix",
    "Tile",
]

_METHOD = "Method"
_READING = "Reading"
_WRITING = "Writing"
_RUNNING = "Running"

Source = Annotated[str, Argument(metavar="IN", help="A picture; - is standard input.")]
Sources = Annotated[list[str], Argument(metavar="IN", help="Pictures; - is standard input.")]

Output = Annotated[
    str | None,
    Option("--output", "-o", metavar="OUT", help="A file, or a folder; - is standard output."),
]

MethodName = Annotated[
    str,
    Option(
        "--method",
        "-m",
        metavar="METHOD",
        help="`unblur methods` lists them.",
        rich_help_panel=_METHOD,
    ),
]
Setting = Annotated[
    list[str] | None,
    Option(
        "--set",
        metavar="NAME=VALUE",
        help="A parameter of the method, as --NAME VALUE; `unblur methods METHOD` lists them.",
        rich_help_panel=_METHOD,
    ),
]
KernelFile = Annotated[
    str | None,
    Option(
        "--kernel",
        "--psf",
        metavar="FILE",
        help="The blur, where it is known.",
        rich_help_panel=_METHOD,
    ),
]
LensFile = Annotated[
    str | None,
    Option(
        "--lens",
        metavar="FILE|auto",
        help="A calibrated lens; auto finds it by the names in the metadata.",
        rich_help_panel=_METHOD,
    ),
]
KernelSize = Annotated[
    str | None,
    Option(
        metavar="N",
        help="Side of the kernel to estimate, in pixels; found if not given.",
        rich_help_panel=_METHOD,
    ),
]
Region = Annotated[
    str | None,
    Option(
        metavar="X,Y,W,H",
        help="Where the kernel is estimated, in pixels.",
        rich_help_panel=_METHOD,
    ),
]
Mask = Annotated[
    str | None,
    Option(metavar="FILE", help="A picture, white where to leave alone.", rich_help_panel=_METHOD),
]
Strength = Annotated[
    float,
    Option(metavar="0..1", help="Share of the result against the input.", rich_help_panel=_METHOD),
]

Encoding = Annotated[
    str,
    Option(
        metavar="auto|srgb|linear",
        help="What the values mean; auto trusts the profile.",
        rich_help_panel=_READING,
    ),
]
NonFinite = Annotated[
    str,
    Option(
        "--nonfinite",
        metavar="raise|fill",
        help="Refuse NaN and infinity, or fill them in.",
        rich_help_panel=_READING,
    ),
]
Salvage = Annotated[
    bool,
    Option(
        "--salvage",
        metavar="",
        help="Use what is left of a damaged file.",
        rich_help_panel=_READING,
    ),
]

SaveKernel = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Keep the kernel: .tif or .npy, or .png for the eye.",
        rich_help_panel=_WRITING,
    ),
]
Suffix = Annotated[
    str,
    Option(
        metavar="TEXT",
        help="Goes before the extension of names made here.",
        rich_help_panel=_WRITING,
    ),
]
Format = Annotated[
    str | None,
    Option("--format", metavar="FORMAT", help="Such as png, tiff, jpeg.", rich_help_panel=_WRITING),
]
Quality = Annotated[
    int,
    Option(
        min=1,
        max=100,
        metavar="N",
        help="Of formats that lose some.",
        rich_help_panel=_WRITING,
    ),
]
Background = Annotated[
    str | None,
    Option(
        "--background",
        metavar="R,G,B",
        help="Colour (0..1) behind what is transparent, for formats without transparency.",
        rich_help_panel=_WRITING,
    ),
]
StripMetadata = Annotated[
    bool,
    Option("--strip-metadata", metavar="", help="Drop EXIF and its kin.", rich_help_panel=_WRITING),
]
Overwrite = Annotated[
    bool,
    Option("--overwrite", metavar="", help="Replace files that exist.", rich_help_panel=_WRITING),
]
InPlace = Annotated[
    bool,
    Option("--in-place", metavar="", help="Replace the inputs.", rich_help_panel=_WRITING),
]
Report = Annotated[
    str | None,
    Option(
        metavar="FILE.html|.json",
        help="What was done, as a page with pictures or as data (an array for several inputs).",
        rich_help_panel=_WRITING,
    ),
]

Device = Annotated[
    str,
    Option(metavar="auto|cpu|cuda|mps", help="Where to compute.", rich_help_panel=_RUNNING),
]
MaxMemory = Annotated[
    str | None,
    Option(
        metavar="SIZE",
        help="Memory to use at most, such as 4GB; half of what is free if not given.",
        rich_help_panel=_RUNNING,
    ),
]
Tile = Annotated[
    int,
    Option(
        metavar="N",
        help="Side of the tiles in pixels; 0: whole, or as the memory asks.",
        rich_help_panel=_RUNNING,
    ),
]
Seed = Annotated[
    int,
    Option(min=0, metavar="N", help="Start of the random numbers.", rich_help_panel=_RUNNING),
]
Quiet = Annotated[
    bool,
    Option("--quiet", "-q", metavar="", help="Say nothing but errors.", rich_help_panel=_RUNNING),
]
AsJson = Annotated[
    bool,
    Option(
        "--json", metavar="", help="Print one JSON object per picture.", rich_help_panel=_RUNNING
    ),
]
