"""What comes with a request, checked before anything is kept: method, options, names."""

import json
import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unblur.errors import ParameterError
from unblur.photo.formats import EXTENSIONS
from unblur.restore import catalogue
from unblur.restore.method import Method
from unblur.restore.parameters import normalise, parse, schema
from unblur.service.answers import Problem

__all__ = ["FORMATS", "Common", "describe", "display_name", "parse_options"]

_LONGEST = 16_384
# Weights are named, never a path: a file of the server is not for its users to choose.
_WEIGHTS = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
FORMATS = tuple(sorted(set(EXTENSIONS.values())))

Whole = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]


class Common(BaseModel):
    """Options that every method takes, beside its own parameters."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    roi: Annotated[
        tuple[Whole, Whole, Whole, Whole] | None,
        Field(description="x, y, width, height in pixels: where the blur is estimated"),
    ] = None
    strength: Annotated[
        float, Field(strict=True, ge=0, le=1, description="share of the result against the input")
    ] = 1.0
    seed: Annotated[
        int, Field(strict=True, ge=0, lt=2**63, description="start of the random numbers")
    ] = 0
    encoding: Annotated[
        Literal["auto", "srgb", "linear"],
        Field(description="what the values mean; auto trusts the profile"),
    ] = "auto"
    nonfinite: Annotated[
        Literal["raise", "fill"], Field(description="refuse NaN and infinity, or fill them in")
    ] = "raise"
    salvage: Annotated[
        bool, Field(strict=True, description="use what is left of a damaged file")
    ] = False
    format: Annotated[
        Literal["avif", "gif", "jpeg", "png", "tiff", "webp"] | None,
        Field(description="of the result; none: that of the input"),
    ] = None
    quality: Annotated[
        int, Field(strict=True, ge=1, le=100, description="of formats that lose some")
    ] = 95
    background: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], ...] | None,
        Field(max_length=3, description="colour behind what is transparent, for JPEG"),
    ] = None
    keep_metadata: Annotated[
        bool, Field(strict=True, description="keep EXIF, XMP and IPTC, the place included")
    ] = False


def describe(method: Method) -> dict[str, Any]:
    """Describe a method, with the JSON schema (draft 2020-12) of its options."""
    ready, why = method.ready(method.parameters())
    options = Common.model_json_schema()
    own = schema(method.parameters)["properties"]
    if "weights" in own:
        own["weights"] |= {"pattern": f"^{_WEIGHTS.pattern}$"}
    return {
        "name": method.name,
        "summary": method.summary,
        "when": method.when,
        "needs_kernel": method.needs_kernel,
        "needs_weights": method.needs_weights,
        "ready": ready,
        "why_not": None if ready else why,
        "options": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {**own, **options["properties"]},
            "additionalProperties": False,
        },
    }


def parse_options(
    name: str, text: str, *, has_kernel: bool, has_lens: bool = False
) -> tuple[Method, dict[str, Any], dict[str, Any]]:
    """Check the options of a job.

    Args:
        name: of the method.
        text: a JSON object.
        has_kernel: whether a kernel came with it.
        has_lens: whether a lens profile did.

    Returns:
        The method, its parameters that were given, and what all methods share.

    Raises:
        Problem: Something is unknown, out of range, or not JSON.
    """
    given = _load(text)
    try:
        method = catalogue.find(name)
        shared = {key: given.pop(key) for key in list(given) if key in Common.model_fields}
        common = Common.model_validate(shared)
        parameters: Any = parse(method.parameters, given)
        _check_weights(given)
    except ParameterError as error:
        raise Problem("parameter", str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Problem("parameter", f"option '{where}': {first['msg']}") from error
    if method.needs_kernel and not has_kernel and not has_lens:
        text = f"method {method.name} needs the blur: send it as the part 'kernel' or 'lens'"
        raise Problem("parameter", text)
    if method.needs_weights and has_kernel:
        raise Problem("parameter", f"method {method.name} is a network, and takes no kernel")
    if has_kernel and has_lens:
        raise Problem("parameter", "the blur comes as 'kernel' or as 'lens', not as both")
    ready, why = method.ready(parameters)
    if not ready:
        raise Problem("weights", f"method {method.name} is not ready on this server: {why}")
    options = common.model_dump(mode="json")
    options["strip_metadata"] = not options.pop("keep_metadata")
    return method, {normalise(key): value for key, value in given.items()}, options


def _check_weights(given: dict[str, Any]) -> None:
    for key, value in given.items():
        if normalise(key) == "weights" and not _WEIGHTS.fullmatch(str(value)):
            raise ParameterError(f"parameter 'weights' must be a name, not {value!r}")


def _load(text: str) -> dict[str, Any]:
    """Read a JSON object strictly: no name twice, no NaN, no depth, no endless number."""
    if len(text) > _LONGEST:
        raise Problem("parameter", f"options are longer than {_LONGEST} characters")
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Problem("parameter", f"options must be a JSON object: {reason}") from error
    if not isinstance(found, dict):
        raise Problem("parameter", f"options must be a JSON object, not {type(found).__name__}")
    for key, value in found.items():
        flat = value if isinstance(value, list) else [value]
        if any(isinstance(item, list | dict) for item in flat):
            raise Problem("parameter", f"option {key!r} must not be nested")
        if any(isinstance(item, int) and abs(item) >= 2**63 for item in flat):
            raise Problem("parameter", f"option {key!r} is larger than any that is taken")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def display_name(given: str | None) -> str:
    r"""Make of a file's name what may be shown and offered for a download; never a path.

    Example:
        >>> display_name("../../etc/pass\nwd.jpg"), display_name(None)
        ('passwd.jpg', 'picture')
    """
    text = unicodedata.normalize("NFC", (given or "")[:4096]).replace("\\", "/")
    base = "".join(c for c in text.rsplit("/", 1)[-1] if c.isprintable())
    base = base.encode("utf-8", "ignore").decode("utf-8").strip(". ")
    return base[-120:] or "picture"
