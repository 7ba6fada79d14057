import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from unblur.blur import Field
from unblur.errors import ParameterError
from unblur.jobs.batch.ledger import NEW, Ledger
from unblur.jobs.batch.listing import Entry
from unblur.jobs.batch.recipe import Recipe
from unblur.jobs.job import Job, Options
from unblur.lens import LensProfile, Shot, shelf


@pytest.fixture
def recipe(kernel_file: Path) -> Recipe:
    options = Options(kernel=str(kernel_file), device="cpu")
    return Recipe("in", "out", Job("", "", "wiener", {"noise_std": "0.01"}, options))


def test_a_job_has_its_names(recipe: Recipe) -> None:
    job = recipe.job("sub/a.jpg", "sub/a.png", overwrite=True)
    assert (job.source, job.target) == (os.path.join("in", "sub", "a.jpg"), "out/sub/a.png")
    assert job.options.overwrite
    assert job.method == "wiener"
    remote = Recipe("s3://b/in/", "gs://c/out", recipe.common).job(
        "a b.jpg", "a.jpg", overwrite=False
    )
    assert (remote.source, remote.target) == ("s3://b/in/a b.jpg", "gs://c/out/a.jpg")


def test_how_a_parameter_was_written_does_not_matter(recipe: Recipe) -> None:
    other = Recipe("in", "out", Job("", "", "wiener", {"noise_std": 0.01}, recipe.common.options))
    assert other.facts() == recipe.facts()


def test_weights_count_by_their_content(tiny_weights: Path) -> None:
    def facts() -> object:
        common = Job("", "", "nafnet", options=Options(device="cpu"))
        return Recipe("in", "out", common).facts()["parameter weights"]

    file = tiny_weights / "weights" / "nafnet-gopro-32.safetensors"
    content, before = file.read_bytes(), facts()
    assert isinstance(before, str)
    assert len(before) == 64
    try:
        file.write_bytes(content + b"\0")
        assert facts() != before
    finally:
        file.write_bytes(content)
    assert facts() == before


def test_lens_auto_counts_by_all_profiles_it_may_find(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBLUR_HOME", str(tmp_path))
    options = replace(recipe.common.options, kernel=None, lens="auto")
    automatic = replace(recipe, common=replace(recipe.common, options=options))
    kernels = torch.ones(1, 1, 3, 3, 3) / 9

    def keep(name: str, shot: Shot) -> None:
        shelf.folder().mkdir(exist_ok=True)
        profile = LensProfile(Field.of(kernels), torch.ones(1, 1), (60, 80), shot)
        profile.save(shelf.folder() / f"{name}.safetensors", overwrite=True)

    empty = automatic.facts()
    keep("a", Shot("Maker One"))
    one = automatic.facts()
    assert automatic.facts() == one
    keep("a", Shot("Maker Two"))
    changed = automatic.facts()
    (shelf.folder() / "a.safetensors").rename(shelf.folder() / "b.safetensors")
    renamed = automatic.facts()
    (shelf.folder() / "broken.safetensors").write_bytes(b"no")  # nothing finds it
    assert automatic.facts() == renamed
    assert len({facts["option lens"] for facts in (empty, one, changed, renamed)}) == 4

    with Ledger(None, "out") as ledger:
        automatic.settle(ledger, resume=False, anew=False)
        ledger.enlist([Entry("a", "1", "a")])
        ledger.started(*ledger.claim(1, done=True))
        automatic.settle(ledger, resume=True, anew=False)
        keep("c", Shot("Maker Three"))
        with pytest.raises(ParameterError, match=r"recipe \(option lens: auto \w+… and now auto"):
            automatic.settle(ledger, resume=True, anew=False)


def test_a_batch_is_begun_gone_on_with_and_begun_anew(recipe: Recipe) -> None:
    with Ledger(None, "out") as ledger:
        recipe.settle(ledger, resume=False, anew=False)
        ledger.enlist([Entry("a", "1", "a")])
        (item,) = ledger.claim(1, done=True)
        ledger.started(item)
        ledger.finished(item, "sha256 1")
        with pytest.raises(ParameterError, match="--resume goes on with it"):
            recipe.settle(ledger, resume=False, anew=False)
        recipe.settle(ledger, resume=True, anew=False)
        other = Recipe("in", "out", Job("", "", "tv", options=recipe.common.options))
        with pytest.raises(ParameterError, match="method: wiener and now tv"):
            other.settle(ledger, resume=True, anew=False)
        assert ledger.counts()[NEW] == 0
        other.settle(ledger, resume=False, anew=True)
        assert ledger.counts()[NEW] == 1


def test_other_machines_get_names_from_the_root(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results that are not there yet, and weights that are a name, too."""
    monkeypatch.chdir(tmp_path)
    options = Options(kernel="motion.tif", mask="s3://b/mask.png", lens="auto")
    common = Job("", "", "nafnet", {"weights": "nafnet-gopro-32"}, options)
    found = Recipe("in", "out", common).everywhere()
    assert (found.source, found.target) == (str(tmp_path / "in"), str(tmp_path / "out"))
    assert found.common.options.kernel == str(tmp_path / "motion.tif")
    assert found.common.options.mask == "s3://b/mask.png"
    assert found.common.options.lens == "auto"
    assert found.common.parameters == {"weights": "nafnet-gopro-32"}
