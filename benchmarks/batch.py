"""A batch: workers against one, the price of safety, a million names, memory, and a cluster.

`UNBLUR_PARTS` names the parts that are measured, such as "workers,memory"; otherwise all are.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.table import table

__all__ = ["run"]

PICTURES = 200
NAMES = 1_000_000
LONG = 1000  # pictures of mixed sizes
ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"}
WIENER = ("-m", "wiener", "--noise-std", "0.01", "--device", "cpu", "--quiet")


def run() -> str:
    """All tables."""
    parts = {part.__name__: part for part in (workers, names, memory, cluster)}
    chosen = os.environ.get("UNBLUR_PARTS", ",".join(parts)).split(",")
    with tempfile.TemporaryDirectory() as folder:
        return "\n\n".join(parts[name](Path(folder, name)) for name in chosen)


def workers(folder: Path, count: int = PICTURES) -> str:
    """Seconds for pictures of one megapixel by the bare solver, and by `unblur batch`.

    One process against one worker, and two processes at once against two workers.
    """
    arguments = [*WIENER, "--kernel", _kernel(folder)]
    _pictures(folder / "in", [(1000, 1000)] * count)
    rows: list[tuple[str, float | None, float | None]] = []
    seconds = {}
    for jobs in (1, 2):
        solver = [_bare(folder, jobs)]
        target = folder / f"out{jobs}"
        seconds[jobs] = _batch(folder / "in", target, *arguments, "--jobs", str(jobs))
        solver.append(_bare(folder, jobs))  # the machine is not always as quick
        alone = count / jobs * float(np.mean(solver))
        rows += [
            (f"bare solver in {jobs} at once, {count} pictures", alone, None),
            (f"--jobs {jobs}, and over that", seconds[jobs], seconds[jobs] / alone - 1),
        ]
    rows.append(("one worker to two", None, seconds[1] / seconds[2]))
    return table(("what", "seconds", "part"), rows)


def _bare(folder: Path, at_once: int) -> float:
    """Seconds of the solver alone for one picture, while so many processes are at it."""
    call = f"from benchmarks.batch import bare; bare({str(folder)!r})"
    words = [sys.executable, "-c", call]
    begun = [
        subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - words of this file
        for _ in range(at_once)
    ]
    return float(np.mean([float(each.communicate()[0]) for each in begun]))


def bare(folder: str, rounds: int = 15) -> None:
    """Print the seconds that the solver alone takes for one picture."""
    import torch

    import unblur

    torch.set_num_threads(1)
    photo = unblur.read(next(iter(Path(folder, "in").iterdir())))
    restore = unblur.load("wiener", "cpu", kernel=unblur.kernels.motion(9, 30), noise_std=0.01)
    restore(photo)
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        restore(photo)
        seconds.append(time.perf_counter() - started)
    print(sorted(seconds)[rounds // 2])


def names(folder: Path, count: int = NAMES) -> str:
    """Seconds and memory to plan and to resume so many empty files."""
    source = folder / "in"
    for place in range(count):
        if place % 1000 == 0:
            inside = source / f"{place // 1000:04d}"
            inside.mkdir(parents=True)
        (inside / f"IMG_{place:07d}.jpg").touch()
    rows = []
    for what in ("planned", "resumed"):
        call = f"from benchmarks.batch import planned; planned({str(folder)!r})"
        seconds, peak = json.loads(_python(call))
        rows.append((f"{count} names {what}", seconds, peak / 1e6))
    return table(("what", "seconds", "MB"), rows)


def planned(folder: str) -> None:
    """Print the seconds until the first picture is given out, and the peak of memory."""
    from unblur.files import sweep
    from unblur.jobs.batch.ledger import Ledger
    from unblur.jobs.batch.listing import entries, wanted
    from unblur.jobs.batch.recipe import Recipe
    from unblur.jobs.job import Job

    source, target = f"{folder}/in", f"{folder}/out"
    started = time.perf_counter()
    with Ledger(Path(target, ".unblur", "ledger.sqlite"), target) as ledger:
        Recipe(source, target, Job("", "", "l0")).settle(ledger, resume=True, anew=False)
        sweep(target)
        ledger.enlist(entries(source, target, wanted()))
        ledger.counts()
        with ledger.transaction():
            for item in ledger.claim(8, done=True):
                ledger.started(item)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([seconds, peak]))


def memory(folder: Path, count: int = LONG) -> str:
    """The worker's memory over many pictures of mixed sizes, and how it rises."""
    generator = np.random.default_rng(0)
    sizes = generator.integers(100, 800, (40, 2)).tolist()
    _pictures(folder / "in", sizes)
    call = f"from benchmarks.batch import held; held({str(folder)!r}, {count})"
    held = np.array(json.loads(_python(call)))
    settled = held[len(held) // 2 :]  # before, the allocator is still finding room for each size
    slope = np.polyfit(np.arange(len(settled)), settled / 1e6, 1)[0] * 1000
    rows = [("first fifth, median", float(np.median(held[: len(held) // 5])) / 1e6)]
    rows += [("last fifth, median", float(np.median(held[-len(held) // 5 :])) / 1e6)]
    rows += [("slope of the second half, MB in 1000 pictures", float(slope))]
    return table((f"memory over {count} pictures", "MB"), rows)


def held(folder: str, count: int) -> None:
    """Print what this process holds after each picture."""
    import psutil

    from unblur.jobs.batch.task import Task, Worker, limit_threads
    from unblur.jobs.job import Job, Options

    limit_threads(1)
    worker, process = Worker(), psutil.Process()
    options = Options(kernel=_kernel(Path(folder)), device="cpu", overwrite=True)
    sources = sorted(Path(folder, "in").iterdir())
    found = []
    for place in range(count):
        source = sources[place * 7 % len(sources)]
        target = f"{folder}/out/{source.name}"
        job = Job(str(source), target, "wiener", {"noise_std": 0.01}, options)
        (answer,) = worker.do([Task(place, job)])
        assert answer.state == "done", answer.error
        found.append(process.memory_info().rss)
    print(json.dumps(found))


def cluster(folder: Path, count: int = PICTURES // 4) -> str:
    """Seconds on two Ray nodes of one core each, against two workers."""
    arguments = [*WIENER, "--kernel", _kernel(folder)]
    _pictures(folder / "in", [(1000, 1000)] * count)
    local = _batch(folder / "in", folder / "local", *arguments, "--jobs", "2")
    call = f"from benchmarks.batch import nodes; nodes({str(folder)!r}, {json.dumps(arguments)})"
    ray = float(_python(call).splitlines()[-1])
    same = all(
        (folder / "ray" / path.name).read_bytes() == path.read_bytes()
        for path in (folder / "local").glob("*.jpg")
    )
    rows = [
        (f"two workers, {count} pictures", local, None),
        ("two nodes of Ray", ray, ray / local),
    ]
    note = "the results are the same bytes" if same else "the results differ"
    return f"{table(('what', 'seconds', 'against'), rows)}\n{note}"


def nodes(folder: str, arguments: list[str]) -> None:
    """Print the seconds of a batch on a cluster of two nodes, once it stands."""
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 150_000_000}
    both = Cluster(initialize_head=True, head_node_args=small)
    both.add_node(**small)
    try:
        seconds = _batch(
            Path(folder, "in"), Path(folder, "ray"), *arguments, "--cluster", both.address
        )
        print(seconds)
    finally:
        both.shutdown()


def _batch(source: Path, target: Path, *arguments: str) -> float:
    started = time.perf_counter()
    words = [sys.executable, "-m", "unblur", "batch", str(source), str(target), *arguments]
    subprocess.run(words, check=True, env=ENVIRONMENT)  # noqa: S603 - words of this file
    seconds = time.perf_counter() - started
    print(f"{target.name}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return seconds


def _python(code: str) -> str:
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, check=True, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - words of this file
    return done.stdout.strip()


def _pictures(folder: Path, sizes: Sequence[Sequence[int]]) -> None:
    from PIL import Image
    from skimage import data

    folder.mkdir(parents=True)
    picture = np.tile(data.astronaut(), (3, 3, 1))
    for place, (height, width) in enumerate(sizes):
        part = picture[place : place + height, 2 * place : 2 * place + width]
        Image.fromarray(np.ascontiguousarray(part)).save(folder / f"{place:04d}.jpg", quality=92)


def _kernel(folder: Path) -> str:
    from unblur.blur import kernels

    folder.mkdir(parents=True, exist_ok=True)
    kernels.motion(9, 30).save(folder / "kernel.tif", overwrite=True)
    return str(folder / "kernel.tif")
