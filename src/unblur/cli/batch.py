"""`unblur batch`: a folder of photographs in, a folder of sharp ones out."""

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from unblur.cli import batch_options as b
from unblur.cli import options as o
from unblur.cli.arguments import MethodCommand, check_choice, colour, region, settings
from unblur.cli.batch_board import Board, fault
from unblur.cli.terminal import Failures, clean, say, tell
from unblur.errors import ParameterError
from unblur.jobs.job import Job, Options

if TYPE_CHECKING:
    from unblur.jobs.batch.crew import Crew
    from unblur.jobs.batch.ledger import Ledger
    from unblur.jobs.batch.recipe import Recipe
    from unblur.jobs.batch.run import Tally

__all__ = ["batch", "register"]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(cls=MethodCommand)(batch)


def batch(
    source: b.Inputs,
    target: b.Results,
    method: o.MethodName = "l0",
    settings_: o.Setting = None,
    kernel: o.KernelFile = None,
    lens: o.LensFile = None,
    kernel_size: o.KernelSize = None,
    roi: o.Region = None,
    mask: o.Mask = None,
    strength: o.Strength = 1.0,
    encoding: o.Encoding = "auto",
    nonfinite: o.NonFinite = "raise",
    salvage: o.Salvage = False,
    suffix: b.Suffix = "",
    format_: o.Format = None,
    quality: o.Quality = 95,
    background: o.Background = None,
    strip_metadata: o.StripMetadata = False,
    overwrite: o.Overwrite = False,
    recursive: b.Recursive = True,
    include: b.Include = None,
    exclude: b.Exclude = None,
    dry_run: b.DryRun = False,
    resume: b.Resume = False,
    watch: b.Watch = False,
    max_failures: b.MaxFailures = None,
    jobs: b.Workers = None,
    cluster: b.Cluster = None,
    device: o.Device = "auto",
    max_memory: o.MaxMemory = None,
    tile: o.Tile = 0,
    seed: o.Seed = 0,
    quiet: o.Quiet = False,
    as_json: o.AsJson = False,
) -> None:
    """Make all photographs of a folder sharp.

    OUTDIR gets the same folders and names. It may be stopped at any time: with --resume, what is
    done is not done again. A picture that fails stops no other; the failures are listed at the end.
    """
    failures = Failures(as_json=as_json)
    with failures.about("batch"):
        chosen = Options(
            device=device,
            max_memory=max_memory,
            tile=tile,
            kernel=kernel,
            lens=lens,
            roi=region(roi),
            mask=mask,
            strength=strength,
            seed=seed,
            encoding=check_choice("--encoding", encoding, ("auto", "srgb", "linear")),
            nonfinite=check_choice("--nonfinite", nonfinite, ("raise", "fill")),
            salvage=salvage,
            format=format_,
            quality=quality,
            background=colour(background),
            strip_metadata=strip_metadata,
            overwrite=overwrite,
        )
        values = settings(settings_, kernel_size=kernel_size)
        order = _Order(
            source, target, Job("", "", method, values, chosen), suffix, include or [],
            exclude or [], recursive=recursive, resume=resume, watch=watch, jobs=jobs,
            cluster=cluster, most_failures=max_failures,
        )  # fmt: skip
        if dry_run:
            _rehearse(order, as_json=as_json)
        else:
            _work(order, failures, quiet=quiet, as_json=as_json)
    failures.finish()


@dataclass(frozen=True)
class _Order:
    """What was asked for."""

    source: str
    target: str
    common: Job
    suffix: str
    include: list[str]
    exclude: list[str]
    recursive: bool
    resume: bool
    watch: bool
    jobs: int | None
    cluster: str | None
    most_failures: int | None

    @property
    def anew(self) -> bool:
        """Whether an earlier batch is to be forgotten."""
        return self.common.options.overwrite and not self.resume

    def enlist(self, ledger: "Ledger", *, settle: float = 0.0) -> None:
        """Take stock of the inputs.

        Raises:
            ParameterError: Two results would have one name.
        """
        from unblur.jobs.batch.listing import entries, wanted

        ledger.enlist(
            entries(
                self.source,
                self.target,
                wanted(self.include, self.exclude),
                recursive=self.recursive,
                suffix=self.suffix,
                extension=self.common.options.format,
                settle=settle,
            )
        )


def _settled(order: _Order) -> "Recipe":
    """Check everything that can be checked before any work."""
    from unblur.cli.fix import check_method
    from unblur.jobs.batch.listing import check_folders
    from unblur.jobs.batch.recipe import Recipe

    check_folders(order.source, order.target)
    if not order.suffix.isprintable() or any(mark in order.suffix for mark in "/\\"):
        raise ParameterError(f"--suffix must be a part of a file's name, not {order.suffix!r}")
    if order.cluster is not None and order.watch:
        raise ParameterError("--watch is for one machine: leave out --cluster")
    method = check_method(order.common)
    recipe = Recipe(order.source, order.target, replace(order.common, method=method))
    return recipe if order.cluster is None else recipe.everywhere()


def _ledger_file(target: str) -> Path:
    """Give the file of the ledger: with the results, or with the user's files for a URL."""
    import hashlib

    from unblur.jobs.batch.listing import HOME
    from unblur.jobs.storage import is_remote
    from unblur.nets.store import folder

    if not is_remote(target):
        return Path(target) / HOME / "ledger.sqlite"
    name = hashlib.sha256(target.rstrip("/").encode()).hexdigest()[:24]
    return folder().parent / "batches" / f"{name}.sqlite"


def _rehearse(order: _Order, *, as_json: bool) -> None:
    """Say what would be done."""
    from unblur.jobs.batch.ledger import NEW, Ledger

    recipe = _settled(order)
    with Ledger(None, order.target) as ledger:
        path = _ledger_file(order.target)
        if path.exists() and not order.anew:
            ledger.copy(path)
        recipe.settle(ledger, resume=order.resume, anew=order.anew)
        order.enlist(ledger)
        for item in ledger.items(NEW):
            job = recipe.job(item.name, item.target, overwrite=False)
            if as_json:
                say(json.dumps({"source": job.source, "target": job.target, "state": "planned"}))
            else:
                say(f"{clean(job.source)} -> {clean(job.target)}")
        counts = ledger.counts()
        done = sum(counts.values()) - counts[NEW]
        noun = "picture" if counts[NEW] == 1 else "pictures"
        tell(f"unblur: {counts[NEW]} {noun} would be restored, {done} done before")


def _work(order: _Order, failures: Failures, *, quiet: bool, as_json: bool) -> None:
    """Do it all, then list what failed."""
    from unblur.files import sweep
    from unblur.jobs.batch.ledger import Ledger
    from unblur.jobs.batch.run import Leader
    from unblur.jobs.batch.watch import changes
    from unblur.jobs.storage import is_remote

    recipe = _settled(order)
    local = not is_remote(order.target)
    with ExitStack() as stack:
        ledger = stack.enter_context(Ledger(_ledger_file(order.target), order.target))
        recipe.settle(ledger, resume=order.resume, anew=order.anew)
        if local:
            sweep(order.target)
        order.enlist(ledger)
        counts = ledger.counts()
        board = stack.enter_context(Board(sum(counts.values()), quiet=quiet, as_json=as_json))
        if not any(counts.values()) and not order.watch:
            raise ParameterError(f"{order.source} holds no pictures: see --include")
        crew = _crew(order, pictures=sum(counts.values()))
        leader = Leader(
            ledger, recipe, crew, overwrite=order.common.options.overwrite, tell=board,
            most_failures=order.most_failures,
        )  # fmt: skip
        try:
            with failures.about("batch"):  # said before the count, which comes last
                leader.run()
                if order.watch:
                    for _ in changes(order.source):
                        order.enlist(ledger, settle=2.0)
                        leader.run(check=False)
        finally:
            crew.close()
            if local:
                sweep(order.target)
            board.stop()
            _close(ledger, recipe, leader.tally, failures, quiet=quiet)


def _crew(order: _Order, *, pictures: int) -> "Crew":
    """Make the workers, and give each its share of the machine."""
    from unblur.jobs.batch.task import together

    options = order.common.options
    if order.cluster is not None:
        from unblur.jobs.batch.cluster import Actors
        from unblur.restore.memory import parse_bytes

        memory = None if options.max_memory is None else parse_bytes(options.max_memory)
        crew = Actors(order.cluster, order.jobs, device=options.device, memory=memory)
        crew.shard = max(crew.shard, together(order.common))
        return crew
    from unblur.jobs.batch.local import Processes
    from unblur.jobs.batch.share import share

    part = share(order.common, order.jobs, pictures)
    return Processes(
        part.jobs,
        part.threads,
        memory=part.memory,
        gpus=part.gpus,
        shard=together(order.common),
    )


def _close(
    ledger: "Ledger", recipe: "Recipe", tally: "Tally", failures: Failures, *, quiet: bool
) -> None:
    """List what failed, and count."""
    from unblur.jobs.batch.ledger import FAILED

    count = 0
    for item in ledger.items(FAILED):
        count += 1
        if count == 1:
            tell("unblur: these failed:")
        source = recipe.job(item.name, item.target, overwrite=False).source
        tell(f"  {clean(source)}: {fault(source, item.error or {})}")
    if count:
        failures.code = max(failures.code, 1)
    if not quiet:
        kept = f", {tally.kept} done before" if tally.kept else ""
        tell(f"unblur: {tally.done} done{kept}, {count} failed")
