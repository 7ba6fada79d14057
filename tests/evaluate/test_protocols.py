"""The protocols: what they are called, and which mistakes they refuse."""

import pytest

from unblur.errors import ParameterError
from unblur.evaluate.comparisons import REGISTERED, REGISTERED_FROM_SHIFT, WHOLE
from unblur.evaluate.protocols import PROTOCOLS, find, settle


def test_the_protocols_are_these() -> None:
    assert [protocol.name for protocol in PROTOCOLS] == [
        "gopro", "hide", "reds", "realblur-j", "realblur-r", "rsblur", "dpdd", "levin", "kohler",
        "lai", "blur-dataset", "folder", "sharp",
    ]  # fmt: skip
    for protocol in PROTOCOLS:
        assert find(protocol.name) is protocol
        assert "psnr" in protocol.comparison.metrics


def test_names_are_taken_as_people_write_them() -> None:
    assert find(" RealBlur_J ").name == "realblur-j"
    with pytest.raises(ParameterError, match="did you mean gopro"):
        find("gopr")
    with pytest.raises(ParameterError, match="there are gopro, hide"):
        find("zzz")


def test_what_each_protocol_insists_on() -> None:
    assert find("dpdd").depth == 16
    assert find("gopro").depth == 8
    assert find("realblur-j").comparison is REGISTERED
    assert find("hide").comparison is WHOLE
    assert [protocol.name for protocol in PROTOCOLS if protocol.kernels] == ["levin"]


def test_variants() -> None:
    assert settle(find("gopro"), None) == (find("gopro"), "blur")
    assert settle(find("levin"), "size-given")[1] == "size-given"
    with pytest.raises(ParameterError, match="'gamma' of gopro is unknown: there are blur, blur_g"):
        settle(find("gopro"), "gamma")
    with pytest.raises(ParameterError, match="'x' of dpdd is unknown: there are none"):
        settle(find("dpdd"), "x")


def test_pairs_that_are_not_aligned_need_a_word() -> None:
    protocol = find("blur-dataset")
    with pytest.raises(ParameterError, match=r"not aligned to the pixel.*--align.*--as-published"):
        settle(protocol, None)
    aligned, name = settle(protocol, "defocus", align=True)
    assert (aligned.comparison, aligned.alignment, name) == (
        REGISTERED_FROM_SHIFT,
        "given",
        "defocus, aligned",
    )
    lying, name = settle(protocol, None, as_published=True)
    assert (lying.comparison, name) == (WHOLE, "motion, as-published")
    assert settle(find("folder"), None, align=True)[1] == "aligned"
    with pytest.raises(ParameterError, match="exclude each other"):
        settle(protocol, None, align=True, as_published=True)
    with pytest.raises(ParameterError, match="takes neither --align nor --as-published"):
        settle(find("gopro"), None, align=True)
