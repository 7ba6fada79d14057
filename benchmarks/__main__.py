"""Run the benchmarks that are named, or all: `python -m benchmarks levin speed`."""

import sys
from collections.abc import Callable
from importlib import import_module

from benchmarks.machine import describe

NAMES = (
    "levin",
    "deconvolution",
    "shakes",
    "deepwiener",
    "dpanet",
    "confidence",
    "homography",
    "noharm",
    "speed",
    "scaling",
    "memory",
    "start",
    "networks",
    "synthesis",
    "training",
    "lenses",
    "batch",
    "sheet",
    "service",
)


def main(words: list[str]) -> int:
    """Print the tables; 2 for an unknown name."""
    unknown = [word for word in words if word not in NAMES]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    print(describe())
    for name in words or NAMES:
        print(f"\n{name}", flush=True)
        run: Callable[[], str] = import_module(f"benchmarks.{name}").run
        print(run(), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
