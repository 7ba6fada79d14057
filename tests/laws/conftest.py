"""What a network does to a picture: its guard, which may leave a picture alone, is away."""

from collections.abc import Iterator

import pytest

from unblur.restore import networks


@pytest.fixture(autouse=True, scope="module")
def no_guard() -> Iterator[None]:
    """`guard=false` for every network; tests/restore has the guard itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "_guarded", lambda prepare, runner, *given: prepare(*given))
        yield
