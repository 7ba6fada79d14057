import io
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import unblur

Waits = Callable[..., dict[str, Any]]


def encoded(array: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert (told["status"], told["code"]) == (status, code), told
    assert told["detail"]
    return told


def test_from_the_photograph_to_the_files(
    client: httpx.Client, order: dict[str, Any], picture: bytes, kernel: bytes, wait_for: Waits
) -> None:
    accepted = client.post("/v1/jobs", **order)
    assert accepted.status_code == 202
    job = accepted.json()["id"]
    assert accepted.headers["location"] == f"/v1/jobs/{job}"
    done = wait_for(job)
    assert (done["state"], done["progress"], done["name"]) == ("done", 1.0, "shaken.png")
    assert done["words"][0] == "The blur that was undone reaches over 5 x 1 pixels."
    assert done["report"]["parameters"]["noise_std"] == 0.01

    result = client.get(done["links"]["result"])
    assert result.headers["content-type"] == "image/png"
    assert 'filename="shaken.unblur.png"' in result.headers["content-disposition"]
    wanted = unblur.deblur(
        unblur.read(picture), "wiener", kernel=load_kernel(kernel), noise_std=0.01, device="cpu"
    ).image
    assert (unblur.read(result.content).samples == wanted.samples).all()

    report = client.get(done["links"]["report"]).json()
    assert (report["source"], report["target"]) == ("shaken.png", "shaken.unblur.png")
    page = client.get(done["links"]["report"], params={"as": "html"})
    assert page.text.count("data:image/png;base64,") == 3
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    saved = client.get(done["links"]["kernel"])
    assert load_kernel(saved.content).size == (1, 5)
    assert client.get(done["links"]["kernel"], params={"as": "png"}).content[1:4] == b"PNG"
    assert client.get(f"/v1/jobs/{job}/preview/before").content == picture

    assert client.delete(f"/v1/jobs/{job}").status_code == 204
    for path in ("", "/events", "/result", "/kernel", "/report", "/preview/before"):
        problem(client.get(f"/v1/jobs/{job}{path}"), 410, "gone")


def load_kernel(content: bytes) -> unblur.Kernel:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".tif") as file:
        file.write(content)
        file.flush()
        return unblur.Kernel.load(file.name)


def test_strength_mixes_without_computing_again(
    client: httpx.Client, order: dict[str, Any], picture: bytes, wait_for: Waits
) -> None:
    job = wait_for(client.post("/v1/jobs", **order).json()["id"])["id"]
    before, after = (
        unblur.read(content).encoded()
        for content in (picture, client.get(f"/v1/jobs/{job}/result").content)
    )
    half = client.get(f"/v1/jobs/{job}/result", params={"strength": 0.5})
    assert half.status_code == 200, half.text
    mixed = unblur.read(half.content).encoded()
    assert float((mixed - (before + after) / 2).abs().max()) < 0.51 / 255
    none = client.get(f"/v1/jobs/{job}/result", params={"strength": 0})
    assert (unblur.read(none.content).encoded() == before).all()
    for wrong in ("-0.1", "1.1", "nan", "much"):
        answer = client.get(f"/v1/jobs/{job}/result", params={"strength": wrong})
        problem(answer, 422, "invalid_request")


def test_events_tell_until_the_end(client: httpx.Client, order: dict[str, Any]) -> None:
    job = client.post("/v1/jobs", **order).json()["id"]
    with client.stream("GET", f"/v1/jobs/{job}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line[5:] for line in answer.iter_lines() if line.startswith("data:")]
    states = [json.loads(line)["state"] for line in lines]
    assert states[-1] == "done"
    assert states == sorted(states, key=["queued", "running", "done"].index)


def test_deblur_answers_with_the_picture(client: httpx.Client, order: dict[str, Any]) -> None:
    answer = client.post("/v1/deblur", **order)
    assert answer.status_code == 200, answer.text
    assert unblur.read(answer.content).size == (96, 128)


def test_the_mask_keeps_its_pixels(
    client: httpx.Client, order: dict[str, Any], picture: bytes
) -> None:
    mask = np.zeros((96, 128), np.uint8)
    mask[:, :40] = 255
    files = {**order["files"], "mask": ("m.png", encoded(mask))}
    answer = client.post("/v1/deblur", files=files, data=order["data"])
    assert answer.status_code == 200, answer.text
    before, after = (unblur.read(each).samples for each in (picture, answer.content))
    assert (before[..., :40] == after[..., :40]).all()
    assert (before[..., 60:] != after[..., 60:]).any()


def test_metadata_goes_unless_asked_for(
    client: httpx.Client, order: dict[str, Any], photograph: np.ndarray
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825)[1] = "N"
    order["files"]["file"] = ("a.jpg", encoded(photograph, "JPEG", exif=exif))
    stripped = client.post("/v1/deblur", **order)
    assert stripped.headers["content-type"] == "image/jpeg"
    assert b"Maker" not in stripped.content
    order["data"] = {"method": "wiener", "options": '{"keep_metadata": true}'}
    assert b"Maker" in client.post("/v1/deblur", **order).content


def test_sixteen_bits_of_a_tiff_stay(
    client: httpx.Client, order: dict[str, Any], wait_for: Waits
) -> None:
    deep = (np.linspace(0, 65535, 64 * 64).reshape(64, 64)).astype(np.uint16)
    order["files"]["file"] = ("deep.tif", encoded(deep, "TIFF"))
    order["data"]["previews"] = "true"
    done = wait_for(client.post("/v1/jobs", **order).json()["id"])
    result = client.get(done["links"]["result"])
    assert result.headers["content-type"] == "image/tiff"
    assert unblur.read(result.content).depth == 16
    shown = client.get(f"/v1/jobs/{done['id']}/preview/after")
    assert shown.headers["content-type"] == "image/png"


def test_methods_come_with_schemas_that_hold(client: httpx.Client) -> None:
    methods = {each["name"]: each for each in client.get("/v1/methods").json()}
    assert list(methods) == [method.name for method in unblur.METHODS]
    options = methods["richardson-lucy"]["options"]
    assert options["properties"]["iterations"]["maximum"] == 10_000
    assert options["additionalProperties"] is False
    assert {"strength", "roi", "format"} <= set(options["properties"])


def test_a_repeated_request_is_one_job(client: httpx.Client, order: dict[str, Any]) -> None:
    key = {"Idempotency-Key": "key-1"}
    first, second = (client.post("/v1/jobs", headers=key, **order) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    order["data"] = {"method": "wiener", "options": '{"noise_std": 0.02}'}
    problem(client.post("/v1/jobs", headers=key, **order), 409, "idempotency_conflict")


def test_cancelling_and_removing(
    client: httpx.Client, order: dict[str, Any], wait_for: Waits
) -> None:
    done = wait_for(client.post("/v1/jobs", **order).json()["id"])
    problem(client.post(f"/v1/jobs/{done['id']}/cancel"), 409, "already_finished")
    slow = {"file": ("a.png", encoded(noisy(700)))}
    job = client.post("/v1/jobs", files=slow, data={"method": "l0"}).json()["id"]
    waiting = client.post("/v1/jobs", **order).json()["id"]
    problem(client.get(f"/v1/jobs/{waiting}/result"), 409, "not_finished")
    assert client.post(f"/v1/jobs/{waiting}/cancel").status_code == 202
    assert wait_for(waiting)["state"] == "cancelled"
    while client.get(f"/v1/jobs/{job}").json()["state"] == "queued":
        time.sleep(0.05)
    assert client.post(f"/v1/jobs/{job}/cancel").status_code == 202
    ended = wait_for(job)
    assert (ended["state"], ended["error"]["code"]) == ("cancelled", "cancelled")
    problem(client.get(f"/v1/jobs/{job}/result"), 409, "cancelled")
    assert client.post("/v1/deblur", **order).status_code == 200


def test_the_result_has_one_format(
    client: httpx.Client, order: dict[str, Any], wait_for: Waits
) -> None:
    done = wait_for(client.post("/v1/jobs", **order).json()["id"])
    answer = client.get(f"/v1/jobs/{done['id']}/result?as=png")
    problem(answer, 422, "invalid_request")
    assert "'format'" in answer.json()["detail"]


@pytest.mark.parametrize("pause", [0.0, 0.1, 0.2, 0.3, 0.5])
def test_what_is_removed_while_it_runs_is_never_done(
    client: httpx.Client, service: Any, order: dict[str, Any], pause: float
) -> None:
    job = client.post("/v1/jobs", **order).json()["id"]
    time.sleep(pause)
    assert client.delete(f"/v1/jobs/{job}").status_code == 204
    problem(client.get(f"/v1/jobs/{job}"), 410, "gone")
    assert client.post("/v1/deblur", **order).status_code == 200  # the worker is at the next one
    problem(client.get(f"/v1/jobs/{job}/result"), 410, "gone")
    assert not (service.folder / "service" / "files" / job).exists()


def test_a_client_that_leaves_ends_its_job(client: httpx.Client) -> None:
    """Row 65."""

    def cancelled() -> int:
        found = re.search(r'unblur_jobs{state="cancelled"} (\d+)', client.get("/metrics").text)
        return int(found[1]) if found else 0

    before = cancelled()
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/deblur", files={"file": ("a.png", encoded(noisy(700)))}, timeout=1.0)
    until = time.monotonic() + 60
    while cancelled() == before:
        assert time.monotonic() < until
        time.sleep(0.2)


def noisy(side: int) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    image = np.random.default_rng(0).normal(128, 900, (side, side))
    return gaussian_filter(image, 4).clip(0, 255).astype(np.uint8)


def truncated() -> bytes:
    return encoded(noisy(64), "JPEG")[:-400]


def huge_png() -> bytes:
    content = bytearray(encoded(np.zeros((4, 4), np.uint8)))
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


def animation() -> bytes:
    stream = io.BytesIO()
    frames = [Image.fromarray(noisy(16) // n) for n in (1, 2)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def nan_tiff() -> bytes:
    return encoded(np.full((16, 16), np.nan, np.float32), "TIFF")


def lab_tiff() -> bytes:
    stream = io.BytesIO()
    Image.new("LAB", (16, 16)).save(stream, "TIFF")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        pytest.param(lambda: b"", 422, "corrupt_image", id="row 1: no bytes"),
        pytest.param(lambda: b"x", 415, "unsupported_format", id="row 2: one byte"),
        pytest.param(lambda: bytes(range(256)), 415, "unsupported_format", id="row 2: any bytes"),
        pytest.param(lambda: b"<html><svg>", 415, "unsupported_format", id="row 3: HTML"),
        pytest.param(lambda: b"%PDF-1.7", 415, "unsupported_format", id="row 3: PDF"),
        pytest.param(lambda: b"%!PS-Adobe", 415, "unsupported_format", id="row 3: EPS"),
        pytest.param(truncated, 422, "corrupt_image", id="row 5: cut off"),
        pytest.param(lambda: encoded(noisy(32))[:-20], 422, "corrupt_image", id="row 6: no IEND"),
        pytest.param(huge_png, 413, "image_too_large", id="row 8: 60000 x 60000"),
        pytest.param(nan_tiff, 422, "nonfinite_input", id="row 31: NaN"),
        pytest.param(lab_tiff, 415, "unsupported_format", id="row 37: Lab"),
        pytest.param(animation, 413, "image_too_large", id="row 41: two frames"),
    ],
)
def test_files_that_are_refused(
    client: httpx.Client, order: dict[str, Any], content: Any, status: int, code: str
) -> None:
    order["files"]["file"] = ("../../etc/passwd", content())
    told = problem(client.post("/v1/deblur", **order), status, code)
    assert "/input" not in told["detail"]
    assert "files/" not in told["detail"]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5)])
def test_tiny_pictures_keep_their_size(client: httpx.Client, shape: tuple[int, int]) -> None:
    """Row 13; l0 finds nothing to do in them."""
    files = {
        "file": ("a.png", encoded(np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape)))
    }
    answer = client.post("/v1/deblur", files=files)
    assert answer.status_code == 200, answer.text
    assert unblur.read(answer.content).size == shape


def test_the_content_decides_not_the_name(client: httpx.Client, order: dict[str, Any]) -> None:
    """Row 4."""
    order["files"]["file"] = ("a.png", encoded(noisy(32), "JPEG"))
    answer = client.post("/v1/deblur", **order)
    assert answer.headers["content-type"] == "image/jpeg"
    assert 'filename="a.unblur.jpg"' in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    "name",
    ["a b.png", "é.png", "😀.png", "a\u202eb.png", "x" * 2000, "-.png", 'a"b.png', "con.jpg"],
)
def test_any_name_will_do(client: httpx.Client, order: dict[str, Any], name: str) -> None:
    """Row 54."""
    order["files"]["file"] = (name, order["files"]["file"][1])
    answer = client.post("/v1/deblur", **order)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "options",
    [
        "[]", "null", "1", "{", '{"strength": NaN}', '{"strength": 2}', '{"strength": "1"}',
        '{"strength": 0.5, "strength": 1}', '{"nothing": 1}', '{"noise_std": 1e999}',
        '{"noise_std": -1}', '{"noise_std": "abc"}', '{"noise_std": [1]}', '{"x": {"a": 1}}',
        '{"seed": 9223372036854775808}', '{"seed": ' + "9" * 5000 + "}", '{"roi": [0, 0, 5]}',
        '{"roi": [0.5, 0, 32, 32]}', '{"format": "exe"}', '{"quality": 0}', '{"device": "cuda"}',
        '{"kernel": "/etc/passwd"}', '{"max_memory": 1}', '{"overwrite": true}', '{"tile": 1}',
        "[" * 10_000, '{"a":' * 5_000, '{"a": "' + "x" * 20_000 + '"}',
    ],
)  # fmt: skip
def test_options_that_are_refused(
    client: httpx.Client, order: dict[str, Any], options: str
) -> None:
    """Rows 51 and 62."""
    order["data"]["options"] = options
    answer = client.post("/v1/jobs", **order)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] in ("parameter", "invalid_request")


@pytest.mark.parametrize("weights", ["/etc/passwd", "../x", "a/b", "C:\\x", "s3://x", ""])
def test_weights_are_never_a_path(client: httpx.Client, picture: bytes, weights: str) -> None:
    data = {"method": "nafnet", "options": json.dumps({"weights": weights})}
    answer = client.post("/v1/jobs", files={"file": ("a.png", picture)}, data=data)
    problem(answer, 422, "parameter")


def test_what_only_the_picture_tells_is_told_too(
    client: httpx.Client, order: dict[str, Any]
) -> None:
    order["data"]["options"] = '{"roi": [100, 0, 100, 100]}'
    told = problem(client.post("/v1/deblur", **order), 422, "parameter")
    assert "128 x 96" in told["detail"]


@pytest.mark.parametrize(
    "content",
    [b"x" * 99, encoded(np.zeros((9, 9), np.uint8)), encoded(np.ones((400, 400), np.uint8))],
    ids=["no picture", "without mass", "larger than the picture"],
)
def test_kernels_that_are_refused(
    client: httpx.Client, order: dict[str, Any], content: bytes
) -> None:
    """Row 50."""
    order["files"]["kernel"] = ("k.png", content)
    problem(client.post("/v1/deblur", **order), 422, "kernel")


def test_parts_that_are_refused(
    client: httpx.Client, order: dict[str, Any], picture: bytes
) -> None:
    """Rows 61 and 63."""
    one = ("file", ("a.png", picture))
    problem(client.post("/v1/jobs"), 422, "invalid_request")
    problem(client.post("/v1/jobs", data={"method": "l0"}), 422, "invalid_request")
    problem(client.post("/v1/jobs", files=[one, one]), 422, "invalid_request")
    problem(client.post("/v1/jobs", files=[("picture", one[1])]), 422, "invalid_request")
    told = client.post("/v1/jobs", files=[one], data={"url": "http://127.0.0.1:1/x.png"})
    assert "no part 'url'" in problem(told, 422, "invalid_request")["detail"]
    told = client.post("/v1/jobs", files=[one], data={"method": "sharpest"})
    problem(told, 422, "parameter")
    told = client.post("/v1/jobs", files=[one], data={"method": "wiener"})
    assert "part 'kernel' or 'lens'" in problem(told, 422, "parameter")["detail"]
    problem(client.post("/v1/jobs", files=[one] * 9), 400, "bad_request")
    many = client.post("/v1/jobs", files=[one], data={f"n{n}": "" for n in range(10_000)})
    problem(many, 400, "bad_request")
    long = client.post("/v1/jobs", files=[("file", ("x" * 1_000_000, picture))])
    assert long.status_code in (202, 400, 413, 422)


def test_bodies_that_are_refused(service: Any, client: httpx.Client) -> None:
    """Row 60; the limit of this service is 2 MB."""
    problem(client.post("/v1/jobs", content=b"x" * 3_000_000), 413, "body_too_large")

    def endless() -> Any:
        yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(300):
            yield b"x" * 10_000

    kind = {"content-type": "multipart/form-data; boundary=b"}
    problem(client.post("/v1/jobs", content=endless(), headers=kind), 413, "body_too_large")
    zipped = client.post("/v1/jobs", content=b"x", headers={"content-encoding": "gzip"})
    problem(zipped, 415, "unsupported_encoding")
    problem(client.post("/v1/jobs", content=b"nonsense", headers=kind), 400, "bad_request")


@pytest.mark.parametrize("job", ["x", "0" * 22, "..", "..%2f..%2fetc", "%00", "a" * 5000, "é"])
def test_guessed_ids_find_nothing(client: httpx.Client, job: str) -> None:
    """Row 64."""
    for path in ("", "/result", "/events"):
        assert client.get(f"/v1/jobs/{job}{path}").status_code == 404
    assert client.delete(f"/v1/jobs/{job}").status_code in (404, 405)


def test_unknown_paths_and_verbs(client: httpx.Client) -> None:
    problem(client.get("/v1/nothing"), 404, "not_found")
    problem(client.put("/v1/jobs"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["/healthz", "/v1/methods", "/docs", "/openapi.json", "/metrics", "/v1/jobs/x"]
)
def test_every_answer_is_guarded(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers={"x-request-id": "abc-1"})
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-request-id"] == "abc-1"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
        {"host": "evil.example"}, {"host": "127.0.0.1.evil.example:80"},
    ],
)  # fmt: skip
def test_other_sites_reach_nothing(
    client: httpx.Client, order: dict[str, Any], headers: dict[str, str]
) -> None:
    problem(client.post("/v1/jobs", headers=headers, **order), 403, "forbidden")


def test_numbers_for_prometheus(client: httpx.Client, order: dict[str, Any]) -> None:
    client.post("/v1/deblur", **order)
    text = client.get("/metrics").text
    assert 'unblur_jobs{state="done"}' in text
    assert 'unblur_jobs_ended_total{code="",method="wiener",state="done"}' in text
    assert 'route="/v1/deblur",status="200"' in text


def test_the_description_names_every_call(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    text = client.get("/docs").text
    for path in schema["paths"]:
        assert f"{path}</code></h2>" in text
    assert "<script" not in text
    assert text.count("http") == text.count(str(client.base_url).rstrip("/"))


def test_twenty_at_once(client: httpx.Client, order: dict[str, Any], service: Any) -> None:
    def one(_: int) -> int:
        with httpx.Client(base_url=service.address, timeout=120) as own:
            return own.post("/v1/deblur", **order).status_code

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(one, range(20))) == [200] * 20


def test_the_log_is_json_with_request_ids(client: httpx.Client, service: Any) -> None:
    client.get("/healthz", headers={"x-request-id": "look-for-me"})
    time.sleep(0.2)
    lines = [json.loads(line) for line in service.lines if line.startswith("{")]
    mine = next(line for line in lines if line.get("request") == "look-for-me")
    assert (mine["route"], mine["status"], mine["level"]) == ("/healthz", 200, "info")
