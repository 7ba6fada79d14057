"""`unblur fix`: photographs in, sharp ones out."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from unblur.cli import options as o
from unblur.cli.arguments import MethodCommand, check_choice, colour, region, settings
from unblur.cli.terminal import Bar, Failures, clean, say, warn
from unblur.errors import ParameterError, WeightsError
from unblur.jobs.files import save_text
from unblur.jobs.job import STREAM, Job, Options
from unblur.jobs.names import keep_apart

if TYPE_CHECKING:
    from unblur.jobs.run import Outcome

__all__ = ["fix", "register"]

_PAGES = (".html", ".htm")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(cls=MethodCommand)(fix)


def fix(
    sources: o.Sources,
    output: o.Output = None,
    method: o.MethodName = "l0",
    settings_: o.Setting = None,
    kernel: o.KernelFile = None,
    kernel_size: o.KernelSize = None,
    roi: o.Region = None,
    mask: o.Mask = None,
    strength: o.Strength = 1.0,
    encoding: o.Encoding = "auto",
    nonfinite: o.NonFinite = "raise",
    salvage: o.Salvage = False,
    save_kernel: o.SaveKernel = None,
    suffix: o.Suffix = ".unblur",
    format_: o.Format = None,
    quality: o.Quality = 95,
    background: o.Background = None,
    strip_metadata: o.StripMetadata = False,
    overwrite: o.Overwrite = False,
    in_place: o.InPlace = False,
    report: o.Report = None,
    device: o.Device = "auto",
    max_memory: o.MaxMemory = None,
    tile: o.Tile = 0,
    seed: o.Seed = 0,
    quiet: o.Quiet = False,
    as_json: o.AsJson = False,
) -> None:
    """Make photographs sharp.

    `shaken.jpg` becomes `shaken.unblur.jpg` beside it, with its depth, colours and metadata.
    Nothing that exists is replaced unless asked.
    """
    usage = Failures()
    with usage.about("fix"):
        values = settings(settings_, kernel_size=kernel_size)
        chosen = Options(
            device=device,
            max_memory=max_memory,
            tile=tile,
            kernel=kernel,
            save_kernel=save_kernel,
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
            in_place=in_place,
            previews=report is not None and report.lower().endswith(_PAGES),
        )
        jobs = _jobs(sources, output, suffix, Job("", "", method, values, chosen))
        _check_report(report, overwrite=overwrite)
        results = [] if in_place else [job.target for job in jobs]
        keep_apart([*sources, kernel, mask], [*results, save_kernel, report])
        _check_streams(jobs, as_json=as_json)
        if output is not None and output.endswith(("/", os.sep)):
            os.makedirs(output, exist_ok=True)
    usage.finish()
    failures = Failures(as_json=as_json)
    outcomes = _work(jobs, failures, quiet=quiet, as_json=as_json)
    if report is not None and outcomes:
        with failures.about(report):
            _save_report(report, outcomes, several=len(jobs) > 1, overwrite=overwrite)
    failures.finish()


def _jobs(sources: Sequence[str], output: str | None, suffix: str, common: Job) -> list[Job]:
    """Give one job a picture, after everything that can be checked before any work."""
    from unblur.jobs.plan import plan
    from unblur.restore import catalogue
    from unblur.restore.checks import check_device, check_settings
    from unblur.restore.memory import parse_bytes
    from unblur.restore.parameters import parse

    options = common.options
    method = catalogue.find(common.method)
    parameters: Any = parse(method.parameters, common.parameters)
    check_device(options.device)
    check_settings(strength=options.strength, tile=options.tile, seed=options.seed)
    if options.max_memory is not None:
        parse_bytes(options.max_memory)
    if method.needs_kernel and options.kernel is None:
        raise ParameterError(f"method {method.name} needs the blur: give --kernel FILE")
    if method.needs_weights and options.kernel is not None:
        raise ParameterError(f"method {method.name} is a network, and takes no --kernel")
    ready, why = method.ready(parameters)
    if not ready:
        raise WeightsError(why)
    if options.save_kernel is not None and len(sources) > 1:
        raise ParameterError("--save-kernel names one file: give it with one picture")
    targets = plan(
        sources,
        output,
        suffix=suffix,
        extension=options.format,
        in_place=options.in_place,
    )
    return [
        replace(common, source=source, target=target, method=method.name)
        for source, target in zip(sources, targets, strict=True)
    ]


def _check_report(report: str | None, *, overwrite: bool) -> None:
    if report is None:
        return
    if not report.lower().endswith((*_PAGES, ".json")):
        raise ParameterError(f"--report must end in .html or .json, not {report!r}")
    if os.path.lexists(report) and not overwrite:
        raise ParameterError(f"--report {report} exists: choose another name, or --overwrite")
    if not os.path.isdir(os.path.dirname(os.path.abspath(report))):
        raise ParameterError(f"--report {report}: its folder does not exist")


def _check_streams(jobs: Sequence[Job], *, as_json: bool) -> None:
    if any(job.target == STREAM for job in jobs):
        if as_json:
            raise ParameterError("--json and the picture both want standard output: give -o a file")
        if sys.stdout.isatty():
            raise ParameterError("the picture would go to the terminal: give -o a file")


def _work(
    jobs: Sequence[Job], failures: Failures, *, quiet: bool, as_json: bool
) -> list["Outcome"]:
    from unblur.jobs.run import run
    from unblur.jobs.warm import Warm

    warm = Warm()
    outcomes: list[Outcome] = []
    for job in jobs:
        with failures.about(job.source), Bar(job.source, quiet=quiet) as bar:
            outcome = run(job, bar, warm=warm)
            bar.stop()
            outcomes.append(outcome)
            if not quiet:
                _show(outcome, as_json=as_json)
            elif as_json:
                say(_json(outcome.record))
    return outcomes


def _show(outcome: "Outcome", *, as_json: bool) -> None:
    job, record = outcome.job, outcome.record
    warn(job.source, outcome.warnings)
    if as_json:
        say(_json(record))
    elif job.target != STREAM:
        unchanged = record.get("unchanged")
        what = f"unchanged: {unchanged}" if unchanged else _done(record)
        say(f"{clean(job.source)} -> {clean(job.target)} ({clean(what)})")


def _done(record: Mapping[str, Any]) -> str:
    kernel, words = record.get("kernel"), [str(record["method"])]
    if kernel is not None:
        words.append(f"kernel {kernel['size'][1]} x {kernel['size'][0]}")
        if "grid" in kernel:
            words.append(f"varying over {kernel['grid'][1]} x {kernel['grid'][0]} cells")
        if kernel.get("confidence") is not None:
            words.append(f"confidence {kernel['confidence']:.2f}")
    return ", ".join([*words, f"{record['seconds']:.1f} s"])


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, allow_nan=False, indent=indent)


def _save_report(
    report: str, outcomes: Sequence["Outcome"], *, several: bool, overwrite: bool
) -> None:
    from unblur.jobs.page import page

    if report.lower().endswith(_PAGES):
        text = page([(outcome.record, outcome.previews) for outcome in outcomes])
    else:
        records = [dict(outcome.record) for outcome in outcomes]
        text = _json(records if several else records[0], indent=2) + "\n"
    save_text(report, text, overwrite=overwrite)
