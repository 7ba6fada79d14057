"""A lens profile that is sent with a photograph: by a program, and on the page."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)), np.float64)


def test_a_profile_goes_with_a_photograph(
    client: httpx.Client,
    soft: bytes,
    profile: Path,
    photograph: np.ndarray,
    wait_for: Callable[..., dict[str, Any]],
    command: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Nearer to the sharp photograph, and what `unblur fix --lens` makes of it."""
    files = {"file": ("soft.png", soft), "lens": (profile.name, profile.read_bytes())}
    order = {"method": "wiener", "options": '{"noise_std": 0.004}'}
    answer = client.post("/v1/jobs", files=files, data=order)
    assert answer.status_code == 202, answer.text
    job = wait_for(answer.json()["id"])
    assert job["state"] == "done", job
    sharp = client.get(job["links"]["result"]).content
    before, after = (np.square(pixels(each) - photograph).mean() for each in (soft, sharp))
    assert after < 0.7 * before
    assert job["report"]["lens"]["camera"] == "Maker One"
    (tmp_path / "soft.png").write_bytes(soft)
    words = ["-m", "wiener", "--noise-std", "0.004", "--lens", profile, "--strip-metadata"]
    answer = command("fix", tmp_path / "soft.png", "-o", tmp_path / "own.png", *words)
    assert answer.code == 0, answer.err
    assert pixels((tmp_path / "own.png").read_bytes()).tolist() == pixels(sharp).tolist()


def test_what_is_no_profile_is_refused(
    client: httpx.Client, soft: bytes, kernel: bytes, wait_for: Callable[..., dict[str, Any]]
) -> None:
    """It is read in the child process; the job says what was wrong, without a path."""
    for content in (b"nothing", kernel, b"\xff" * 64):
        files = {"file": ("soft.png", soft), "lens": ("../../k.tif", content)}
        answer = client.post("/v1/jobs", files=files, data={"method": "wiener"})
        if answer.status_code == 202:
            job = wait_for(answer.json()["id"])
            assert job["state"] == "failed"
            fault = job["error"]
        else:
            fault = answer.json()
        assert 400 <= fault["status"] < 500, fault
        assert "/" not in fault["detail"].replace("and/or", ""), fault


def test_kernel_and_profile_exclude_each_other(
    client: httpx.Client, soft: bytes, kernel: bytes, profile: Path
) -> None:
    files = {
        "file": ("soft.png", soft),
        "kernel": ("k.tif", kernel),
        "lens": ("p.safetensors", profile.read_bytes()),
    }
    answer = client.post("/v1/jobs", files=files, data={"method": "wiener"})
    assert answer.status_code == 422
    assert "not as both" in answer.json()["detail"]
