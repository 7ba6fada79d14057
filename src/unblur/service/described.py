"""Parts of requests and answers, as OpenAPI describes them."""

from typing import Annotated, Any

from fastapi import File, Form, Header, UploadFile

from unblur.restore import catalogue
from unblur.service.answers import PROBLEM
from unblur.service.sending import TYPES
from unblur.service.shapes import Fault

__all__ = [
    "IMAGES",
    "LIMITS",
    "PARTS",
    "File_",
    "Kernel",
    "Key",
    "Lens",
    "Mask",
    "MethodName",
    "Options",
    "Previews",
    "faults",
    "pictures",
]

LIMITS: Any = {"max_files": 4, "max_fields": 4, "max_part_size": 65_536}
PARTS = {"file", "kernel", "mask", "lens", "method", "options", "previews"}
IMAGES = (".jpg", ".png", ".tif", ".webp", ".avif", ".gif")
_NAMES = [method.name for method in catalogue.METHODS]


def faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe answers that are no success."""
    content = {PROBLEM: {"schema": Fault.model_json_schema()}}
    always = (401, 403, 500, 503)
    return {
        status: {"description": "Problem", "content": content} for status in (*always, *statuses)
    }


def pictures(*extensions: str) -> dict[int | str, dict[str, Any]]:
    """Describe answers that are files."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {
        200: {
            "description": "The file",
            "content": {TYPES[e].partition(";")[0]: binary for e in extensions},
        }
    }


File_ = Annotated[
    UploadFile, File(description="the picture: JPEG, PNG, TIFF, WebP, AVIF, GIF, HEIC or raw")
]
Kernel = Annotated[
    UploadFile | None,
    File(description="the blur, where it is known: TIFF, PNG, .npy or .safetensors"),
]
Mask = Annotated[
    UploadFile | None, File(description="a picture of the same size, white where to leave alone")
]
Lens = Annotated[
    UploadFile | None, File(description="a lens profile, as `unblur calibrate` writes it")
]
MethodName = Annotated[
    str, Form(description="a name of /v1/methods", json_schema_extra={"enum": _NAMES})
]
Options = Annotated[
    str,
    Form(
        description="a JSON object; /v1/methods has the schema of each method",
        max_length=16_384,
        examples=['{"kernel_size": 25}'],
    ),
]
Previews = Annotated[
    bool, Form(description="also make what browsers can show, of files that they cannot")
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        description="the same key with the same request gives the same job",
    ),
]
