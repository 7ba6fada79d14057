import io
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import unblur
from unblur.errors import Cancelled, InputError, KernelError, OutputError, UnsupportedFormat
from unblur.jobs.job import Job, Options
from unblur.jobs.run import run
from unblur.jobs.warm import Warm


@pytest.fixture
def job(png: Path, kernel_file: Path) -> Job:
    """A quick job: a known blur, one linear filter."""
    return Job(
        str(png),
        str(png.with_name("out.png")),
        "wiener",
        {"noise_std": "0.01"},
        Options(kernel=str(kernel_file)),
    )


def test_the_file_holds_what_the_library_gives(job: Job, kernel_file: Path) -> None:
    """Promise 4: library and command line give the same pixels."""
    run(job)
    kernel = unblur.Kernel.load(kernel_file)
    result = unblur.deblur(job.source, "wiener", kernel=kernel, noise_std=0.01)
    assert torch.equal(unblur.read(job.target).samples, result.image.samples)


def test_the_record_says_everything(job: Job) -> None:
    record = json.loads(json.dumps(dict(run(job).record), allow_nan=False))
    assert record["ok"] is True
    assert record["source"] == job.source
    assert record["target"] == job.target
    assert record["method"] == "wiener"
    assert record["kernel"]["size"] == [1, 5]
    assert record["parameters"]["noise_std"] == 0.01


def test_nothing_but_the_target_appears(job: Job, png: Path) -> None:
    before = png.read_bytes()
    present = set(os.listdir(png.parent))
    run(job)
    assert png.read_bytes() == before
    assert set(os.listdir(png.parent)) - present == {"out.png"}


def test_what_exists_stays_unless_asked(job: Job) -> None:
    Path(job.target).write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        run(job)
    assert Path(job.target).read_text() == "mine"
    run(replace(job, options=replace(job.options, overwrite=True)))
    assert unblur.read(job.target).size == (96, 128)


def test_the_target_is_looked_at_before_the_work(
    job: Job, monkeypatch: pytest.MonkeyPatch, photograph: np.ndarray
) -> None:
    """Nobody waits for minutes to read that a file exists, or that a format holds no alpha."""
    monkeypatch.setattr(Warm, "restorer", lambda *_: pytest.fail("the work began"))
    folder = Path(job.source).parent
    rgba = folder / "rgba.png"
    Image.fromarray(photograph).convert("RGBA").resize((20, 20)).save(rgba)
    image = Image.open(rgba)
    image.putpixel((3, 3), (0, 0, 0, 0))
    image.save(rgba)
    Path(folder / "there.png").write_text("mine")
    wrong = [
        (replace(job, target=str(folder / "there.png")), OutputError),
        (replace(job, target=str(folder / "absent" / "out.png")), OutputError),
        (replace(job, target=str(folder)), OutputError),
        (replace(job, target=str(folder / "out.xyz")), UnsupportedFormat),
        (replace(job, source=str(rgba), target=str(folder / "out.jpg")), OutputError),
        (
            replace(job, options=replace(job.options, save_kernel=str(folder / "there.png"))),
            OutputError,
        ),
    ]
    for each, error in wrong:
        with pytest.raises(error):
            run(each)


def test_a_transparent_picture_goes_to_jpeg_over_a_background(job: Job) -> None:
    """Row 35."""
    image = Image.open(job.source).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 40, 40))
    image.save(job.source)
    options = replace(job.options, background=(1.0, 0.0, 0.0))
    run(replace(job, target=f"{job.target}.jpg", options=options))
    red = np.asarray(Image.open(f"{job.target}.jpg"))[10, 10]
    assert red[0] > 240
    assert red[1] < 16


def test_in_place_replaces_the_input(job: Job) -> None:
    """Row 52."""
    before = np.asarray(Image.open(job.source))
    run(replace(job, target=job.source, options=replace(job.options, in_place=True)))
    after = np.asarray(Image.open(job.source))
    assert after.shape == before.shape
    assert not np.array_equal(after, before)


def test_in_place_keeps_the_format_of_a_lying_name(job: Job, photograph: np.ndarray) -> None:
    Image.fromarray(photograph).save(job.source, "JPEG")
    run(replace(job, target=job.source, options=replace(job.options, in_place=True)))
    assert unblur.read(job.source).carried.format == "jpeg"


@pytest.fixture
def jpeg(job: Job, photograph: np.ndarray) -> Job:
    """A job that leaves a JPEG as it is."""
    source = Path(job.source).with_suffix(".jpg")
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "on its side"
    Image.fromarray(photograph).save(source, quality=70, exif=exif)
    options = replace(job.options, strength=0.0)
    return replace(job, source=str(source), target=f"{source}.out.jpg", options=options)


def test_what_is_left_as_it_was_is_copied(jpeg: Job) -> None:
    """Promise 5: another encoding would change it."""
    content = Path(jpeg.source).read_bytes()
    assert run(jpeg).record["copied"] is True
    assert Path(jpeg.target).read_bytes() == content
    out = io.BytesIO()
    streamed = run(replace(jpeg, source="-", target="-"), stdin=io.BytesIO(content), stdout=out)
    assert streamed.record["copied"] is True
    assert out.getvalue() == content


def test_what_is_left_as_it_was_in_place_is_not_touched(jpeg: Job) -> None:
    before = os.stat(jpeg.source)
    inside = replace(jpeg, target=jpeg.source, options=replace(jpeg.options, in_place=True))
    assert run(inside).record["copied"] is True
    after = os.stat(jpeg.source)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_all_pages_must_be_as_they_were_for_a_copy(job: Job, photograph: np.ndarray) -> None:
    source = Path(job.source).with_suffix(".tif")
    pages = [Image.fromarray(np.full_like(photograph, 9)), Image.fromarray(photograph)]
    pages[0].save(source, save_all=True, append_images=pages[1:])
    outcome = run(replace(job, source=str(source), target=f"{source}.out.tif"))
    assert "flat" in outcome.record["pages"][0]["unchanged"]
    assert outcome.record["copied"] is False


@pytest.mark.parametrize(
    "asked",
    [
        {"quality": 80},
        {"strip_metadata": True},
        {"format": "png"},
        {"background": (1.0, 1.0, 1.0)},
        {"encoding": "srgb"},
    ],
)
def test_another_encoding_is_made_where_it_is_asked_for(
    jpeg: Job, asked: dict[str, object]
) -> None:
    record = run(replace(jpeg, options=replace(jpeg.options, **asked))).record
    assert record["copied"] is False
    assert Path(jpeg.target).read_bytes() != Path(jpeg.source).read_bytes()


def test_what_was_mended_is_not_copied(jpeg: Job) -> None:
    whole = Path(jpeg.source).read_bytes()
    Path(jpeg.source).write_bytes(whole[: len(whole) // 2])
    record = run(replace(jpeg, options=replace(jpeg.options, salvage=True))).record
    assert record["copied"] is False
    assert "damaged" in record["warnings"][0]
    unblur.read(jpeg.target)


def test_a_file_that_changes_while_it_is_copied_fails(
    jpeg: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meddling(source: object, target: object) -> None:
        os.utime(jpeg.source, ns=(1, 1))

    monkeypatch.setattr("shutil.copyfileobj", meddling)
    with pytest.raises(InputError, match="changed while"):
        run(jpeg)
    assert not Path(jpeg.target).exists()


@pytest.mark.parametrize("change", ["rewritten", "touched", "deleted", "replaced"])
def test_an_input_that_changes_meanwhile_fails(
    job: Job, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Row 57."""
    source, restore = Path(job.source), Warm().restorer(job)

    def meddling(*arguments: object, **options: object) -> object:
        result = restore(*arguments, **options)
        if change == "rewritten":
            source.write_bytes(source.read_bytes() + b"\0")
        elif change == "touched":
            os.utime(source, ns=(1, 1))
        elif change == "deleted":
            source.unlink()
        else:
            copy = source.with_name("copy.png")
            copy.write_bytes(source.read_bytes())
            copy.replace(source)
        return result

    monkeypatch.setattr(Warm, "restorer", lambda *_: meddling)
    with pytest.raises(InputError, match=r"changed while|cannot be opened"):
        run(job)
    assert not Path(job.target).exists()


def test_streams(job: Job, png: Path) -> None:
    out = io.BytesIO()
    run(replace(job, source="-", target="-"), stdin=io.BytesIO(png.read_bytes()), stdout=out)
    run(job)
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(out.getvalue()))), np.asarray(Image.open(job.target))
    )


def test_a_stream_gets_the_format_that_is_asked_for(job: Job) -> None:
    out = io.BytesIO()
    run(replace(job, target="-", options=replace(job.options, format="tiff")), stdout=out)
    assert unblur.read(out.getvalue()).carried.format == "tiff"


def test_the_kernel_is_kept(job: Job, tmp_path: Path, kernel_file: Path) -> None:
    run(replace(job, options=replace(job.options, save_kernel=str(tmp_path / "kept.tif"))))
    kept = unblur.Kernel.load(tmp_path / "kept.tif")
    assert torch.equal(kept.pixels, unblur.Kernel.load(kernel_file).pixels)


def test_a_missing_kernel_is_named(job: Job) -> None:
    with pytest.raises(KernelError, match=r"absent\.tif"):
        run(replace(job, options=replace(job.options, kernel="absent.tif")))


def test_a_masked_part_is_left_alone(job: Job, tmp_path: Path) -> None:
    mask = np.zeros((96, 128), np.uint8)
    mask[:, 64:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    run(replace(job, options=replace(job.options, mask=str(tmp_path / "mask.png"))))
    before, after = (np.asarray(Image.open(name)) for name in (job.source, job.target))
    assert np.array_equal(before[:, 64:], after[:, 64:])
    assert not np.array_equal(before[:, :64], after[:, :64])


def test_progress_goes_from_nothing_to_all(job: Job) -> None:
    seen: list[float] = []
    run(job, lambda _stage, fraction: seen.append(fraction))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)


def test_cancelling_leaves_nothing(job: Job) -> None:
    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.02:
            raise Cancelled("enough")

    present = set(os.listdir(Path(job.target).parent))
    with pytest.raises(Cancelled):
        run(job, stop)
    assert set(os.listdir(Path(job.target).parent)) == present
