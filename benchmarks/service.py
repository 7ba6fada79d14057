"""The service under load: its start, what a job costs beside the library call, overload, a soak.

`UNBLUR_SERVICE` is the share of the full load (1: 60 s of overload, 2,000 jobs of the soak, 20
kills, 20 browsers); a part of it shows already what is wrong. `UNBLUR_PARTS` names the parts that
are measured, such as "overhead,soak"; otherwise all are. Everything is on loopback and bounded.
"""

import asyncio
import io
import itertools
import os
import random
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks.table import table

__all__ = ["run"]

SHARE = float(os.environ.get("UNBLUR_SERVICE", "0.05"))
SOURCE = str(Path(__file__).parents[1] / "src")
ROUNDS = 9
# Seconds for an answer: far more than it takes, for a machine that has other work.
PATIENCE = 600.0
# It begins like a picture, so that only the child process finds out.
NO_PICTURE = b"\x89PNG\r\n\x1a\nnothing more"
HEAD = ("what", "measured", "wanted")
Row = tuple[Any, ...]


def run() -> str:
    """The table; rows are printed to standard error as they come."""
    rows: list[Row] = []
    parts = {part.__name__: part for part in (start, overhead, overload, soak, kills, browsers)}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in os.environ.get("UNBLUR_PARTS", ",".join(parts)).split(","):
            found = parts[name](Path(folder, name))
            rows += found
            print(table(HEAD, found), file=sys.stderr, flush=True)
    return table(HEAD, rows)


class Server:
    """`unblur serve` or `worker` as a process, its address once it answers."""

    def __init__(self, home: Path, *words: str) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - this Python, with words of this file
            [sys.executable, "-m", "unblur", *words, "--log-level", "error"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": SOURCE, "UNBLUR_HOME": str(home)},
        )
        assert self.process.stderr is not None
        line = ""
        while not line.startswith("unblur "):
            line = self.process.stderr.readline()
            assert line, "the service does not start"
        found = re.search(r"http://\S+?:\d+", line)
        self.address = found[0] if found else ""
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(PATIENCE)


@contextmanager
def server(home: Path, *words: str, page: bool = False) -> Iterator[Server]:
    """A server for as long as it is needed, once it is ready."""
    running = Server(home, "serve", "--port", "0", *([] if page else ["--no-ui"]), *words)
    try:
        while httpx.get(f"{running.address}/readyz").status_code != 200:
            time.sleep(0.2)
        yield running
    finally:
        running.end()


def parts(side: tuple[int, int]) -> dict[str, Any]:
    """A photograph of that size, and the kernel that blurred it."""
    from PIL import Image
    from skimage import data, transform

    import unblur

    sharp = transform.resize(data.astronaut(), side)
    kernel = unblur.kernels.motion(9, 20)
    blurred = unblur.blur((255 * sharp).astype(np.uint8), kernel)
    stream = io.BytesIO()
    Image.fromarray(blurred).save(stream, "PNG")
    with tempfile.TemporaryDirectory() as folder:
        kernel.save(Path(folder, "k.tif"))
        saved = Path(folder, "k.tif").read_bytes()
    return {
        "files": {"file": ("a.png", stream.getvalue()), "kernel": ("k.tif", saved)},
        "data": {"method": "wiener"},
    }


def start(home: Path) -> list[Row]:
    """From the command to the first answer, with the page."""
    seconds = []
    for number in range(3):
        began = time.perf_counter()
        running = Server(home / str(number), "serve", "--port", "0")
        assert httpx.get(f"{running.address}/v1/methods").status_code == 200
        seconds.append(time.perf_counter() - began)
        running.end(signal.SIGKILL)
    return [("start to the first answer, s", statistics.median(seconds), 5.0)]


def overhead(home: Path) -> list[Row]:
    """A job of a megapixel against the same from file to file, in turns."""
    from unblur.jobs.job import Job, Options
    from unblur.jobs.run import run as run_job
    from unblur.jobs.warm import Warm

    order, warm = parts((1000, 1000)), Warm()
    home.mkdir()
    for name, kind in (("a.png", "file"), ("k.tif", "kernel")):
        (home / name).write_bytes(order["files"][kind][1])
    options = Options(kernel=str(home / "k.tif"), overwrite=True, strip_metadata=True)
    job = Job(str(home / "a.png"), str(home / "b.png"), "wiener", {}, options)
    alone, served = [], []
    with (
        server(home / "home", "--workers", "1") as running,
        httpx.Client(timeout=PATIENCE) as client,
    ):
        for _ in range(ROUNDS):
            began = time.perf_counter()
            run_job(job, warm=warm)
            middle = time.perf_counter()
            answer = client.post(f"{running.address}/v1/deblur", **order)
            assert answer.status_code == 200, answer.text
            alone.append(middle - began)
            served.append(time.perf_counter() - middle)
    gap = statistics.median(s - a for s, a in zip(served[1:], alone[1:], strict=True))
    return [
        ("1 megapixel, wiener, file to file, s", statistics.median(alone[1:]), None),
        ("the same through the service, s", statistics.median(served[1:]), None),
        ("overhead of a job, s", gap, 0.15),
    ]


def overload(home: Path) -> list[Row]:
    """Three times what the workers manage, sent whether or not answers come."""
    order = parts((300, 400))
    with server(home, "--workers", "1") as running:
        began = time.perf_counter()
        for _ in range(5):
            httpx.post(f"{running.address}/v1/deblur", timeout=PATIENCE, **order)
        rate = 3 * 5 / (time.perf_counter() - began)
        seconds = max(3.0, 60.0 * SHARE)
        statuses, health = asyncio.run(_flood(running.address, order, rate, seconds))
        began = time.perf_counter()
        while (
            httpx.post(f"{running.address}/v1/deblur", timeout=PATIENCE, **order).status_code != 200
        ):
            time.sleep(0.1)
        recovered = time.perf_counter() - began
    others = sum(n for status, n in statuses.items() if status not in (200, 202, 429, 503))
    told = ", ".join(f"{status}: {n}" for status, n in sorted(statuses.items()))
    return [
        (f"overload, {rate:.1f} a second for {seconds:.0f} s: {told}; others", others, 0),
        ("health meanwhile, 99 of 100, s", float(np.quantile(health, 0.99)), 0.1),
        ("recovery, s", recovered, 5.0),
    ]


async def _flood(
    address: str, order: dict[str, Any], rate: float, seconds: float
) -> tuple[Counter[int], list[float]]:
    statuses: Counter[int] = Counter()
    health: list[float] = []
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:

        async def send() -> None:
            statuses[(await client.post("/v1/jobs", **order)).status_code] += 1

        async def watch() -> None:
            async with httpx.AsyncClient(base_url=address, timeout=60) as own:
                while True:
                    began = time.perf_counter()
                    assert (await own.get("/healthz")).status_code == 200
                    health.append(time.perf_counter() - began)
                    await asyncio.sleep(0.05)

        watching = asyncio.create_task(watch())
        sent = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            sent.append(asyncio.create_task(send()))
            await asyncio.sleep(1.0 / rate)
        await asyncio.gather(*sent)
        watching.cancel()
    return statuses, health


def soak(home: Path) -> list[Row]:
    """Jobs of mixed sizes, bad files and cancelled ones among them; what the processes hold."""
    count = max(40, int(2000 * SHARE))
    orders = [parts(side) for side in ((40, 60), (97, 131), (200, 300))]
    bad = {"files": {"file": ("a.png", NO_PICTURE)}, "data": {"method": "l0"}}
    held: list[tuple[int, float, float, int, int]] = []
    with server(home, "--workers", "1") as running, httpx.Client(timeout=PATIENCE) as client:
        main = psutil.Process(running.process.pid)
        for number, order in zip(range(count), itertools.cycle([*orders, bad]), strict=False):
            _through(client, running.address, order, cancel=number % 7 == 3)
            if number % 10 == 9:
                below = sum(p.memory_info().rss for p in main.children(recursive=True))
                held.append((number, main.memory_info().rss, below, main.num_fds(), _files(home)))
    return _flatness(np.array(held[len(held) // 4 :]), count)


def _through(client: httpx.Client, address: str, order: dict[str, Any], *, cancel: bool) -> None:
    """Hand in a job, wait for its end, fetch what it made, and remove it."""
    job = client.post(f"{address}/v1/jobs", **order).raise_for_status().json()
    call = f"{address}/v1/jobs/{job['id']}"
    if cancel:
        client.post(f"{call}/cancel")
    while (state := client.get(call).json()["state"]) in ("queued", "running"):
        time.sleep(0.02)
    assert state in ("done", "failed", "cancelled")
    if state == "done":
        client.get(f"{call}/result").raise_for_status()
    client.delete(call).raise_for_status()


def _files(home: Path) -> int:
    """Count what lies in the store and, under the program's name, among temporary files."""
    kept = sum(len(found) for _, _, found in os.walk(home))
    return kept + len(list(Path(tempfile.gettempdir()).glob("unblur-*")))


def _flatness(held: np.ndarray, count: int) -> list[Row]:
    """How much was added over the last three quarters."""
    jobs, main, below, handles, files = held.T
    rises = [1000 * np.polyfit(jobs, each / 1e6, 1)[0] for each in (main, below)]
    last = len(held) // 3
    added = [np.median(each[-last:]) - np.median(each[:last]) for each in (handles, files)]
    return [
        (f"soak, {count} jobs: memory of the server, MB in 1,000 jobs", float(rises[0]), None),
        ("memory of its processes for jobs, MB in 1,000 jobs", float(rises[1]), None),
        ("the most that all held, MB", float((main + below).max() / 1e6), None),
        ("handles that were added", int(added[0]), 0),
        ("files that were added", int(added[1]), 0),
    ]


def kills(home: Path) -> list[Row]:
    """Server and worker are killed in turn while jobs come in; each accepted one ends once."""
    chance, order = random.Random(1), parts((120, 160))  # noqa: S311 - to be repeated
    words = ("serve", "--port", "0", "--no-ui", "--workers", "0", "--queue", "1000")
    running, worker = Server(home, *words), Server(home, "worker", "--workers", "1")
    accepted = []
    count = max(2, int(20 * SHARE))
    for number in range(count):
        for _ in range(5):
            answer = httpx.post(f"{running.address}/v1/jobs", timeout=PATIENCE, **order)
            accepted.append(answer.json()["id"])
        time.sleep(chance.uniform(0.0, 2.0))
        if number % 2:
            running.end(signal.SIGKILL)
            running = Server(home, *words)
        else:
            worker.end(signal.SIGKILL)
            worker = Server(home, "worker", "--workers", "1")
    states: Counter[str] = Counter()
    until = time.monotonic() + 240
    while time.monotonic() < until:
        answers = [httpx.get(f"{running.address}/v1/jobs/{job}").json() for job in accepted]
        states = Counter(answer["state"] for answer in answers)
        if not {"queued", "running"} & set(states):
            break
        time.sleep(0.5)
    worker.end()
    running.end()
    with sqlite3.connect(home / "service" / "jobs.sqlite") as rows:
        once = rows.execute("SELECT COUNT(*) FROM unblur_jobs WHERE state = 'done'").fetchone()[0]
    rows.close()
    return [
        ("jobs of the table that are done, beyond those accepted", once - len(accepted), 0),
        (
            f"{count} kills: of {len(accepted)} accepted jobs not done",
            len(accepted) - states["done"],
            0,
        ),
    ]


def browsers(home: Path) -> list[Row]:
    """Pages that are opened at once, each with a photograph; all come to their result."""
    from playwright.sync_api import sync_playwright

    count = max(3, int(20 * SHARE))
    order = parts((200, 300))
    for name, kind in (("a.png", "file"), ("k.tif", "kernel")):
        home.mkdir(exist_ok=True)
        (home / name).write_bytes(order["files"][kind][1])
    health: list[float] = []
    done = threading.Event()
    with server(home / "home", "--workers", "1", page=True) as running, sync_playwright() as play:
        watcher = threading.Thread(target=_watch, args=(running.address, health, done))
        watcher.start()
        chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        began = time.perf_counter()
        tabs = [browser.new_context().new_page() for _ in range(count)]
        faults: list[str] = []
        for tab in tabs:
            tab.on("pageerror", lambda error: faults.append(str(error)))
            tab.goto(running.address, wait_until="commit")
        for tab in tabs:
            tab.wait_for_selector("body[data-unblur=ready]", state="attached", timeout=120_000)
        opened = time.perf_counter() - began
        for tab in tabs:
            tab.set_input_files("#unblur-file", home / "a.png")
            tab.evaluate("window.unblur.choose('wiener')")
            tab.set_input_files("#unblur-kernel-file", home / "k.tif")
            tab.click("#unblur-start")
        for tab in tabs:
            tab.wait_for_selector("#unblur-found:not([hidden])", state="attached", timeout=240_000)
        seconds = time.perf_counter() - began
        browser.close()
        done.set()
        watcher.join()
    return [
        (f"{count} browsers: faults of their pages", len(faults), 0),
        ("until all pages stand, s", opened, None),
        ("until all have their result, s", seconds, None),
        ("health meanwhile, 99 of 100, s", float(np.quantile(health, 0.99)), 0.1),
    ]


def _watch(address: str, health: list[float], done: threading.Event) -> None:
    with httpx.Client(base_url=address, timeout=60) as client:
        while not done.wait(0.05):
            began = time.perf_counter()
            assert client.get("/healthz").status_code == 200
            health.append(time.perf_counter() - began)
