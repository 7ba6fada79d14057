"""Tables: what stands in one column, what is said beside it, which picture comes first."""

from dataclasses import replace
from pathlib import Path

import pytest

from unblur.errors import InputError
from unblur.evaluate import Run, Score, Timing, find, published, report, scores, summary, table_1
from unblur.evaluate.contender import Contender
from unblur.evaluate.page import page
from unblur.evaluate.published import PUBLISHED
from unblur.evaluate.records import Record, Store
from unblur.evaluate.tables import number, worst_first

GOPRO = find("gopro")
DEFINITIONS = {name: GOPRO.comparison.definition(name) for name in GOPRO.comparison.metrics}


def score(contender: str, pictures: int = 1111, **values: float) -> Score:
    return Score(
        "gopro", "blur", contender, contender, {}, None, {}, "cpu", pictures, 1111, DEFINITIONS,
        values, 2.0,
    )  # fmt: skip


def record(picture: str, contender: str, psnr: float, **report: object) -> Record:
    return Record(
        "p", "s", "gopro", "blur", picture, "", contender, "l0", {"psnr": psnr}, 1.0, None,
        {"parameters": {}, **report},
    )  # fmt: skip


def done(*records: Record) -> Run:
    labels = dict.fromkeys(entry.contender for entry in records)
    return Run(
        GOPRO, "blur", 1111, DEFINITIONS, tuple(Contender(label, "l0") for label in labels),
        {label: tuple(e for e in records if e.contender == label) for label in labels},
        {"bad|one": "<broken>"},
    )  # fmt: skip


def test_unlike_scores_have_columns_of_their_own() -> None:
    table = summary([score("a", psnr=30.0), score("b", 3, psnr=31.0), score("c", psnr=32.0)])
    assert table.head == ["method", "psnr [1]", "psnr [2]", "seconds"]
    assert table.rows == [
        ["a", "30.00", "", "2.00"],
        ["b", "", "31.00", "2.00"],
        ["c", "32.00", "", "2.00"],
    ]
    assert "all 1111 pictures of gopro (blur)" in table.legend[0]
    assert "3 of 1111 pictures of gopro (blur)" in table.legend[1]
    other = replace(score("d", psnr=1.0), definitions={"psnr": "otherwise"})
    assert len(summary([score("a", psnr=30.0), other]).head) == 4


def test_published_figures_stand_beside_whole_sets_only() -> None:
    others = published("gopro", "blur")
    whole = summary([score("a", psnr=30.0)], others)
    assert ["NAFNet 32, published (Chen et al. 2022)", "32.87", ""] in whole.rows
    part = summary([score("a", 3, psnr=30.0)], others)
    assert len(part.rows) == 1
    assert "not shown beside a part" in part.legend[-1]
    assert published("gopro", "blur_gamma") == ()
    aligned = replace(score("a", psnr=30.0), definitions={"psnr": "aligned first"})
    assert ["NAFNet 32, published (Chen et al. 2022)", "", ""] in summary([aligned], others).rows


def test_published_figures_are_of_metrics_that_their_protocols_have() -> None:
    for entry in PUBLISHED:
        protocol = find(entry.protocol)
        assert entry.variant in protocol.variants
        assert set(entry.values) <= set(protocol.comparison.metrics)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("psnr", float("inf"), "∞"),
        ("psnr", -float("inf"), "-∞"),
        ("error-ratio", 1.234, "1.23"),
        ("success", 0.5, "50 %"),
        ("lpips", 0.12345, "0.1235"),
        ("psnr", None, "–"),
    ],
)
def test_numbers(metric: str, value: float | None, text: str) -> None:
    assert number(metric, value) == text


RUN = done(
    record("x", "input", 20.0), record("y", "input", 10.0), record("z", "input", 15.0),
    record("x", "l0", 25.0), record("y", "l0", 30.0), record("z", "l0", 22.0),
    record("x", "tv", 21.0), record("y", "tv", 40.0), record("z", "tv", 50.0),
)  # fmt: skip


def test_the_worst_result_comes_first() -> None:
    assert worst_first(RUN) == ["x", "z", "y"]
    text = report(RUN, scores(RUN))
    assert text.index("| x | 20.00 | 25.00 | 21.00 |") < text.index("| z | 15.00 | 22.00 | 50.00 |")
    assert "- bad|one: <broken>" in text


def test_means_are_over_records() -> None:
    values = {entry.contender: entry.values["psnr"] for entry in scores(RUN)}
    assert values == pytest.approx({"input": 15, "l0": 77 / 3, "tv": 37})


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("versions", {"torch": "9"}, "versions"),
        ("device", "cuda", "device"),
        ("measured", {"weights_sha256": "a"}, "weights"),
    ],
)
def test_records_of_different_makes_have_no_mean(name: str, value: object, what: str) -> None:
    mixed = done(record("x", "l0", 1.0), record("y", "l0", 2.0, **{name: value}))
    with pytest.raises(InputError, match=f"the records of l0 were made with different {what}"):
        scores(mixed)


def test_a_metric_of_some_pictures_has_no_mean() -> None:
    first, second = record("x", "l0", 1.0), record("y", "l0", 2.0)
    some = replace(first, values={"psnr": 1.0, "ssim": 0.5})
    assert set(scores(done(some, second))[0].values) == {"psnr"}


def test_parameters_that_vary_are_not_said() -> None:
    first = record("x", "l0", 1.0, parameters={"a": 1, "size": 3})
    second = record("y", "l0", 1.0, parameters={"a": 1, "size": 5})
    assert scores(done(first, second))[0].parameters == {"a": 1}


def test_table_1_has_the_paper_and_ours() -> None:
    timing = Timing("dpanet", 4.6, 5, "some GPU", (720, 1280))
    table = table_1([score("input", psnr=25.0), score("dpanet", psnr=32.5)], [timing])
    assert ["DPA-Net", "", "32.05", "", "26"] in table.rows
    assert ["unblur dpanet", "32.50", "", "5", ""] in table.rows
    assert ["unblur input", "25.00", "", "", ""] in table.rows
    assert table.head[-2:] == ["time, ms, some GPU", "time, ms, Titan X, printed"]
    assert "1280 x 720 pixels, median of synchronised runs (dpanet 5)" in table.legend[-1]


def test_the_page_needs_nothing_beside_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for label in ("input", "l0", "tv"):
        store.keep(record("z", label, 1.0), {label: b"pixels", "truth": b"truth"})
    text = page(RUN, scores(RUN), store=store, crops=2)
    assert text.count("data:image/png;base64,cGl4ZWxz") == 3  # z has crops, x has none
    assert "http" not in text
    assert "bad|one: &lt;broken&gt;" in text
    assert text.index("<h3>x</h3>") < text.index("<h3>z</h3>") < text.index("<p>y: ")
    z = text[text.index("<h3>z</h3>") :]
    captions = ["input: 15.00", "l0: 22.00", "tv: 50.00", "truth"]
    places = [z.index(f"<figcaption>{caption}") for caption in captions]
    assert places == sorted(places)
