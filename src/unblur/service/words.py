"""What was done, in sentences that need no knowledge of the matter."""

from collections.abc import Mapping
from typing import Any

__all__ = ["in_words"]

_SURE = ((0.8, "very likely right"), (0.5, "probably right"), (0.0, "doubtful: look at it"))


def in_words(record: Mapping[str, Any]) -> list[str]:
    """Tell the report of a job as sentences.

    Example:
        >>> in_words({"method": "l0", "unchanged": "flat: one value", "seconds": 0.1})
        ['The picture came back as it was: flat: one value.', 'It took 0.1 seconds.']
    """
    said = []
    kernel = record.get("kernel")
    unchanged = record.get("unchanged")
    if unchanged:
        how = ", to the byte" if record.get("copied") else ""
        said.append(f"The picture came back as it was{how}: {str(unchanged).rstrip('.')}.")
    elif kernel is not None:
        said += _blur(kernel)
    else:
        said.append(f"The network {record.get('method')} restored the picture.")
    if record.get("lens") and not unchanged:
        said.append(_lens(record["lens"]))
    noise = record.get("measured", {}).get("noise_std")
    if noise is not None and not unchanged:
        said.append(f"Its noise is about {255 * noise:.1f} of 255 grey levels.")
    said.append(f"It took {record.get('seconds', 0.0):.1f} seconds.")
    return said + [_sentence(str(warning)) for warning in record.get("warnings", ())]


def _blur(kernel: Mapping[str, Any]) -> list[str]:
    height, width = kernel["size"]
    varying = "grid" in kernel
    where = ", and it differs from place to place" if varying else ""
    said = [f"The blur that was undone reaches over {width} x {height} pixels{where}."]
    confidence = kernel.get("confidence")
    if confidence is not None:
        sure = next(words for limit, words in _SURE if confidence >= limit)
        said.append(f"It was found in the picture itself, and is {sure} ({confidence:.0%}).")
    return said


def _lens(lens: Mapping[str, Any]) -> str:
    names = ", ".join(str(lens[part]) for part in ("camera", "lens") if lens.get(part))
    return f"It is that of the calibrated lens{names and f' ({names})'}."


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:].rstrip(".") + "."
