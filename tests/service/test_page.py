"""The page, in a browser without a screen, as a person uses it."""

import base64
import io
import os
import shutil
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
CLOCK = Path(str(files("skimage") / "data" / "clock_motion.png"))
# Where screenshots go; for the documentation.
SHOTS = os.environ.get("UNBLUR_SHOTS")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("there is no chromium")
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Any, service: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    tab = context.new_page()
    tab.set_default_timeout(120_000)
    tab.asked, tab.faults = [], []
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.on("pageerror", lambda error: tab.faults.append(str(error)))
    open_page(tab, service)
    yield tab
    context.close()
    assert tab.faults == []


def open_page(tab: Any, service: Any) -> None:
    tab.goto(service.address)
    tab.wait_for_selector("body[data-unblur=ready]", state="attached")


def drop(tab: Any, name: str, content: bytes) -> None:
    """Let a file fall on the page, as from a file manager."""
    tab.evaluate(
        """([name, text]) => {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], name));
            document.getElementById("unblur-drop").dispatchEvent(
                new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        [name, base64.b64encode(content).decode()],
    )


def small_clock() -> bytes:
    """A part of the real photograph, so that the blur is found quickly."""
    stream = io.BytesIO()
    picture = Image.open(CLOCK)
    picture.crop((100, 60, 300, 240)).save(stream, "PNG")
    return stream.getvalue()


def shoot(tab: Any, name: str) -> None:
    if SHOTS is not None:
        tab.screenshot(path=f"{SHOTS}/page-{name}.png", full_page=True)


def test_a_method_that_needs_the_blur_asks_for_it(tab: Any) -> None:
    drop(tab, "clock.png", small_clock())
    tab.evaluate("window.unblur.choose('wiener')")
    tab.click("#unblur-start")
    assert "choose a file under ‘The blur’" in tab.inner_text("#unblur-error")
    assert not any("/v1/jobs" in url for url in tab.asked)


def test_from_the_drop_to_the_download(tab: Any, service: Any, tmp_path: Path) -> None:
    content = CLOCK.read_bytes() if SHOTS else small_clock()
    shoot(tab, "empty")
    drop(tab, "clock.png", content)
    assert tab.inner_text("#unblur-name").startswith("clock.png")
    tab.click("#unblur-start")
    tab.wait_for_function(
        "() => document.getElementById('unblur-stage-text').textContent.includes('%')"
    )
    shoot(tab, "working")
    tab.wait_for_selector("#unblur-found:not([hidden])", state="attached")
    tab.wait_for_function("() => document.getElementById('unblur-kernel-picture').naturalWidth > 0")
    assert "reaches over" in tab.inner_text("#unblur-words")
    shoot(tab, "done")
    with tab.expect_download() as loaded:
        tab.click("#unblur-get-result")
    assert loaded.value.suggested_filename == "clock.unblur.png"
    loaded.value.save_as(tmp_path / "sharp.png")
    before, after = (
        np.asarray(Image.open(each)) for each in (io.BytesIO(content), tmp_path / "sharp.png")
    )
    assert before.shape == after.shape
    assert (before != after).any()

    shows_the_split(tab)
    mixes(tab, tmp_path, before, after)
    tab.click("#unblur-forget")
    tab.wait_for_selector("#unblur-found[hidden]", state="attached")

    assert {url.split("/")[2] for url in tab.asked if not url.startswith(("blob:", "data:"))} == {
        service.address.split("/")[2]
    }


def shows_the_split(tab: Any) -> None:
    """The slider works from the keyboard, and at every zoom divides what is in view."""
    for zoom, label in (("fit", "Fit"), ("1", "1:1"), ("4", "4:1")):
        tab.click(f"[data-zoom='{zoom}']")
        assert tab.get_attribute(f"[data-zoom='{zoom}']", "aria-pressed") == "true", label
        tab.focus("#unblur-split")
        tab.keyboard.press("Home")
        for _ in range(25):
            tab.keyboard.press("ArrowRight")
        share = tab.evaluate(
            """() => {
                const view = document.getElementById("unblur-view").getBoundingClientRect();
                const plane = document.getElementById("unblur-plane").getBoundingClientRect();
                const line = document.getElementById("unblur-line").getBoundingClientRect();
                const left = Math.max(view.left, plane.left);
                const width = Math.min(view.right, plane.right) - left;
                return (line.left + line.width / 2 - left) / width;
            }"""
        )
        assert abs(share - 0.25) < 0.03, label
    if SHOTS:
        tab.click("[data-zoom='2']")
        shoot(tab, "zoomed")
    tab.click("[data-zoom='fit']")


def mixes(tab: Any, tmp_path: Path, before: np.ndarray, after: np.ndarray) -> None:
    """Strength changes the view at once, and the file that is downloaded."""
    tab.fill("#unblur-strength input[type=number]", "0.5")
    tab.press("#unblur-strength input[type=number]", "Enter")
    tab.wait_for_function("() => document.getElementById('unblur-after').style.opacity === '0.5'")
    with tab.expect_download() as loaded:
        tab.click("#unblur-get-result")
    loaded.value.save_as(tmp_path / "half.png")
    half = np.asarray(Image.open(tmp_path / "half.png")).astype(float)
    assert np.abs(half - (before.astype(float) + after) / 2).max() <= 0.5


def test_a_lens_profile_is_the_blur(tab: Any, soft: bytes, profile: Path) -> None:
    drop(tab, "soft.png", soft)
    tab.evaluate("window.unblur.choose('wiener')")
    tab.set_input_files("#unblur-lens-file", profile)
    tab.click("#unblur-start")
    tab.wait_for_selector("#unblur-found:not([hidden])", state="attached")
    assert "lens" in tab.inner_text("#unblur-words")
    with tab.expect_download() as loaded:
        tab.click("#unblur-get-result")
    assert loaded.value.suggested_filename == "soft.unblur.png"


def test_a_bad_file_is_explained(tab: Any) -> None:
    drop(tab, "letter.pdf", b"%PDF-1.7 not a picture")
    tab.click("#unblur-start")
    tab.wait_for_selector("#unblur-error:not([hidden])")
    assert "letter.pdf is PDF" in tab.inner_text("#unblur-error")
    assert tab.get_attribute("#unblur-error", "role") == "alert"
    shoot(tab, "bad-file")


def test_a_cancel_stops_the_work(tab: Any, service: Any) -> None:
    big = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (700, 700), dtype=np.uint8)
    Image.fromarray(noise).resize((900, 900)).save(big, "PNG")
    drop(tab, "large.png", big.getvalue())
    tab.click("#unblur-start")
    tab.wait_for_selector("#unblur-stop:enabled")
    tab.click("#unblur-stop")
    tab.wait_for_selector("#unblur-error:not([hidden])")
    assert tab.inner_text("#unblur-error") == "Cancelled."
    assert tab.is_enabled("#unblur-start")


def test_a_full_queue_is_waited_for(tab: Any, service: Any) -> None:
    """The first two answers are "queue full"; the page tries again by itself."""
    refused = []

    def busy(route: Any) -> None:
        if len(refused) < 2:
            refused.append(route.request.headers["idempotency-key"])
            route.fulfill(
                status=429, headers={"Retry-After": "1"}, content_type="application/problem+json",
                body='{"detail": "as many jobs wait as may", "code": "queue_full"}',
            )  # fmt: skip
        else:
            refused.append(route.request.headers["idempotency-key"])
            route.continue_()

    tab.route("**/v1/jobs", busy)
    drop(tab, "clock.png", small_clock())
    tab.click("#unblur-start")
    tab.wait_for_selector("#unblur-found:not([hidden])", state="attached")
    assert len(refused) == 3
    assert len(set(refused)) == 1


def test_a_region_and_a_mask_are_drawn(tab: Any) -> None:
    drop(tab, "clock.png", small_clock())
    tab.wait_for_selector("#unblur-region:enabled")
    sent: list[bytes] = []
    tab.route(
        "**/v1/jobs",
        lambda route: (sent.append(route.request.post_data_buffer or b""), route.abort()),
    )
    tab.click("#unblur-region")
    box = tab.locator("#unblur-plane").bounding_box()
    tab.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.75 * box["height"], steps=4)
    tab.mouse.up()
    assert [tab.input_value(f"#unblur-{side}") for side in "xywh"] == ["50", "45", "100", "90"]
    tab.click("#unblur-paint")
    tab.mouse.move(box["x"] + 20, box["y"] + 20)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 80, box["y"] + 20, steps=4)
    tab.mouse.up()
    shoot(tab, "marks")
    tab.click("#unblur-start")
    tab.wait_for_selector("#unblur-error:not([hidden])")
    assert b'"roi":[50,45,100,90]' in sent[0]
    mask = Image.open(io.BytesIO(sent[0][sent[0].index(b'name="mask"') :].split(b"\r\n\r\n", 1)[1]))
    assert mask.size == (200, 180)
    painted = np.asarray(mask.convert("L"))
    assert 0.001 < (painted > 127).mean() < 0.2


def test_everything_has_a_name_and_a_place_for_the_keyboard(tab: Any) -> None:
    tab.click("#unblur-more summary")
    nameless = tab.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a[href], progress")]
            .filter((e) => e.offsetParent !== null)
            .filter((e) => !(e.innerText || "").trim() && !e.ariaLabel && !e.title)
            .filter((e) => !e.labels?.length)
            .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    reached = set()
    for _ in range(60):
        tab.keyboard.press("Tab")
        reached.add(
            tab.evaluate("() => document.activeElement.id || document.activeElement.tagName")
        )
    assert {
        "unblur-file",
        "unblur-theme",
        "unblur-start",
        "unblur-view",
        "unblur-format",
    } <= reached
    assert tab.evaluate("() => document.documentElement.lang") == "en"


def test_dark_light_and_a_telephone(tab: Any, browser: Any, service: Any) -> None:
    ground = "() => getComputedStyle(window['unblur-about']).color"
    light = tab.evaluate(ground)
    tab.click("#unblur-theme")
    assert tab.evaluate(ground) != light
    assert tab.inner_text("#unblur-theme") == "Light"
    shoot(tab, "dark")
    tab.click("#unblur-theme")
    assert tab.evaluate(ground) == light
    tab.set_viewport_size({"width": 390, "height": 844})
    time.sleep(0.3)
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= 390
    shoot(tab, "phone")
    tab.click("#unblur-more summary")
    edges = "(all) => all.map((each) => each.getBoundingClientRect().right)"
    assert 300 < max(tab.eval_on_selector_all("#unblur-more *", edges)) < 390


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/upload", "/gradio_api/file=/etc/passwd", "/gradio_api/proxy=http://127.0.0.1:1/",
        "/gradio_api/run/predict", "/gradio_api/queue/join", "/monitoring", "/gradio_api/vibe-edit",
        "/page/../lazy.py", "/page/lazy.py", "/login",
    ],
)  # fmt: skip
def test_nothing_of_gradio_that_takes_or_gives_files_is_open(
    client: httpx.Client, path: str
) -> None:
    assert client.get(path).status_code == 404
    assert client.post(path, json={}).status_code in (403, 404, 405)
