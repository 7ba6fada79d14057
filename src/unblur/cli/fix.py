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
from unblur.cli.terminal import Bar, Failures, clean, left_alone, say, warn
from unblur.errors import ParameterError, WeightsError
from unblur.jobs.files import save_text
from unblur.jobs.job import STREAM, Job, Options
from unblur.jobs.names import keep_apart
from unblur.jobs.storage import is_remote

if TYPE_CHECKING:
    from unblur.jobs.run import Outcome
    from unblur.jobs.warm import Warm

__all__ = ["check_method", "fix", "register"]

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
    lens: o.LensFile = None,
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
            lens=lens,
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
        keep_apart([*sources, kernel, lens, mask], [*results, save_kernel, report])
        _check_streams(jobs, as_json=as_json)
        if output is not None and output.endswith(("/", os.sep)) and not is_remote(output):
            os.makedirs(output, exist_ok=True)
        warm = _warm(jobs[0])
    usage.finish()
    failures = Failures(as_json=as_json)
    outcomes = _work(jobs, warm, failures, quiet=quiet, as_json=as_json)
    if report is not None and outcomes:
        with failures.about(report):
            _save_report(report, outcomes, several=len(jobs) > 1, overwrite=overwrite)
    failures.finish()


def _jobs(sources: Sequence[str], output: str | None, suffix: str, common: Job) -> list[Job]:
    """Give one job a picture, after everything that can be checked before any work."""
    from unblur.jobs.plan import plan

    options = common.options
    method = check_method(common)
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
        replace(common, source=source, target=target, method=method)
        for source, target in zip(sources, targets, strict=True)
    ]


def check_method(common: Job) -> str:
    """Check the method and what is set for it before any work, and give its name.

    Raises:
        UnblurError: The method cannot run here, or something does not go with it.
    """
    from unblur.jobs.storage import nearby
    from unblur.restore import catalogue
    from unblur.restore.checks import check_device, check_settings
    from unblur.restore.lenses import check_lens
    from unblur.restore.memory import parse_bytes
    from unblur.restore.parameters import parse

    near = nearby(common)
    options = near.options
    method = catalogue.find(near.method)
    if method.needs_weights:
        _check_no_kernel(near)
    parameters: Any = parse(method.parameters, near.parameters)
    check_device(options.device)
    check_settings(strength=options.strength, tile=options.tile, seed=options.seed)
    if options.max_memory is not None:
        parse_bytes(options.max_memory)
    check_lens(method, options.lens, options.kernel)
    if method.needs_kernel and options.kernel is None and options.lens is None:
        raise ParameterError(f"method {method.name} needs the blur: give --kernel FILE or --lens")
    ready, why = method.ready(parameters)
    if not ready:
        raise WeightsError(why)
    return method.name


def _check_no_kernel(job: Job) -> None:
    """Refuse what is about a kernel, which a network neither takes nor finds."""
    given = {
        "--kernel": job.options.kernel,
        "--save-kernel": job.options.save_kernel,
        "--kernel-size": job.parameters.get("kernel_size"),
    }
    for option, value in given.items():
        if value is not None:
            raise ParameterError(
                f"method {job.method} is a network, which sees the blur by itself: leave out "
                f"{option}"
            )


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


def _warm(job: Job) -> "Warm":
    """Load a network before the first picture: what is wrong with its weights is said once."""
    from unblur.jobs.warm import Warm
    from unblur.restore import catalogue

    warm = Warm()
    if catalogue.find(job.method).needs_weights:
        try:
            warm.restorer(job)
        except WeightsError as error:
            raise WeightsError(f"--weights: {error}") from error
    return warm


def _work(
    jobs: Sequence[Job], warm: "Warm", failures: Failures, *, quiet: bool, as_json: bool
) -> list["Outcome"]:
    from unblur.jobs.run import run

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
        what = left_alone(record) or _done(record)
        say(f"{clean(job.source)} -> {clean(job.target)} ({clean(what)})")


def _done(record: Mapping[str, Any]) -> str:
    kernel, words = record.get("kernel"), [str(record["method"])]
    if (lens := record.get("lens")) is not None:
        words.append(f"lens {_lens_words(lens)}")
    if kernel is not None:
        words.append(f"kernel {kernel['size'][1]} x {kernel['size'][0]}")
        if "grid" in kernel:
            words.append(f"varying over {kernel['grid'][1]} x {kernel['grid'][0]} cells")
        if kernel.get("confidence") is not None:
            words.append(f"confidence {kernel['confidence']:.2f}")
    return ", ".join([*words, f"{record['seconds']:.1f} s"])


def _lens_words(lens: Mapping[str, Any]) -> str:
    """Its names, and the file with the beginning of its hash."""
    names = [lens["camera"], lens["lens"], f"{lens['file']} {lens['sha256'][:8]}"]
    return " / ".join(name for name in names if name.strip())


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
