"""Sharp photographs through the blind method: how close what comes back is to what went in."""

import math

import torch

import unblur
from benchmarks.machine import reference_folder
from benchmarks.table import table
from unblur.metrics import psnr

__all__ = ["run"]

# A picture that comes back bit for bit counts as this, so that the mean is a number.
PERFECT = 99.0
WANTED = 45.0


def run() -> str:
    """The table, or why there is none."""
    folder = reference_folder("cid22")
    if folder is None:
        return "noharm: passed over, the pictures are absent (set UNBLUR_SHARED)"
    rows: list[tuple[str, float, str]] = []
    for path in sorted(folder.glob("*.jpg")):
        photo = unblur.read(path)
        found = unblur.deblur(photo)
        close = float(psnr(found.image.encoded(), photo.encoded()))
        why = (found.report.unchanged or "restored").partition(":")[0]
        rows.append((path.stem, close if math.isfinite(close) else PERFECT, why))
    values = torch.tensor([row[1] for row in rows])
    changed = [row for row in rows if row[1] < PERFECT]
    summary = (
        f"{len(rows)} pictures, {len(rows) - len(changed)} came back bit for bit (counted as "
        f"{PERFECT:g} dB): mean {values.mean():.2f} dB, worst {values.min():.2f} dB, "
        f"{int((values < WANTED).sum())} under {WANTED:g} dB"
    )
    return (
        f"{table(('picture', 'PSNR to input', 'why'), changed)}\n{summary}" if changed else summary
    )
