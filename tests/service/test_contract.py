"""What a program that knows only the OpenAPI description finds out about the service."""

import io
import json
from contextlib import suppress
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from unblur.errors import UnblurError
from unblur.photo import read
from unblur.service.answers import Problem
from unblur.service.parsing import display_name, parse_options

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")


def small_png(seed: int) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 32), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


PICTURES = st.integers(0, 9).map(small_png)
schemathesis.openapi.format("binary", PICTURES)


@pytest.fixture
def schema(service: Any) -> Any:
    return schemathesis.openapi.from_url(f"{service.address}/openapi.json")


CALLS = [
    ("GET", "/v1/jobs/{job_id}"), ("DELETE", "/v1/jobs/{job_id}"),
    ("POST", "/v1/jobs/{job_id}/cancel"), ("GET", "/v1/jobs/{job_id}/result"),
    ("GET", "/v1/jobs/{job_id}/kernel"), ("GET", "/v1/jobs/{job_id}/report"),
    ("GET", "/v1/jobs/{job_id}/preview/{which}"), ("GET", "/v1/methods"),
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("POST", "/v1/jobs"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "path"), CALLS)
def test_calls_hold_to_their_description(schema: Any, verb: str, path: str) -> None:
    """No error of the server, and only statuses, types and bodies that are described."""
    operation = schema[path][verb]

    @given(case=operation.as_strategy())
    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
    def run(case: Any) -> None:
        answer = case.call(timeout=60)
        case.validate_response(
            answer,
            checks=[
                schemathesis.checks.not_a_server_error,
                schemathesis.checks.status_code_conformance,
                schemathesis.checks.content_type_conformance,
                schemathesis.checks.response_schema_conformance,
            ],
        )

    run()


@given(text=st.text(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["strength", "roi", "seed", "format", "noise_std", "quality", "x"]), inner,
        max_size=4,
    ),
).map(json.dumps))  # fmt: skip
@settings(max_examples=200)
def test_options_are_taken_or_refused_in_words(text: str) -> None:
    refused = None
    try:
        _, parameters, options = parse_options("wiener", text, has_kernel=True)
    except Problem as problem:
        refused = problem
    if refused is not None:
        assert refused.code == "parameter"
        assert refused.detail
    else:
        assert 0 <= options["strength"] <= 1
        assert set(parameters) <= {"light", "noise_std", "regularization", "penalty"}


@given(st.text(max_size=300))
@settings(max_examples=200)
def test_names_become_no_path(name: str) -> None:
    shown = display_name(name)
    assert shown
    assert not set(shown) & set("/\\\0\n\r")
    assert shown not in (".", "..")
    shown.encode("utf-8")


@given(
    start=st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP", "GIF"]),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=4),
    length=st.floats(0.1, 1.0),
)
@settings(max_examples=150, deadline=None)
def test_damaged_files_are_read_or_refused_in_words(
    start: str, cuts: list[tuple[float, bytes]], length: float
) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.arange(20 * 24, dtype=np.uint8).reshape(20, 24)).save(stream, start)
    content = bytearray(stream.getvalue())
    for where, what in cuts:
        at = int(where * (len(content) - 1))
        content[at : at + len(what)] = what
    content = content[: max(1, int(length * len(content)))]
    photo = None
    with suppress(UnblurError):  # and nothing else
        photo = read(bytes(content), max_pixels=1_000_000, max_pages=1)
    if photo is not None:
        assert photo.samples.numel() <= 3_000_000


def test_the_examples_of_the_description_work(client: httpx.Client) -> None:
    fields = client.get("/openapi.json").json()["components"]["schemas"]
    body = next(entry for name, entry in fields.items() if "submit" in name.lower())
    (example,) = body["properties"]["options"]["examples"]
    answer = client.post(
        "/v1/jobs", files={"file": ("a.png", small_png(0))}, data={"options": example}
    )
    assert answer.status_code == 202, answer.text
    client.delete(f"/v1/jobs/{answer.json()['id']}")
