"""What tests of jobs share: the small batch program that some of them kill."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def crash() -> Any:
    """The module `crash`: `work`, a whole batch, and `Here`, a crew without processes."""
    spec = spec_from_file_location("crash", Path(__file__).parent / "batch" / "crash.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
