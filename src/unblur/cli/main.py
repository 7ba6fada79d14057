"""The command `unblur`: its commands, its exit codes, and what happens when it is stopped."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Annotated, NoReturn

import typer

from unblur import __version__
from unblur.cli import (
    batch,
    blur,
    demo,
    evaluate,
    experiment,
    export,
    fix,
    kernel,
    lens,
    methods,
    networks,
    serve,
    train,
    weights,
    worker,
)
from unblur.cli.arguments import hyphens
from unblur.cli.terminal import DEBUG, clean, say, tell

__all__ = ["app", "entry", "main"]

app = typer.Typer(
    name="unblur",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": hyphens},
)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"unblur {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", metavar="", help="Show where an error came from; for every command."
        ),
    ] = False,
) -> None:
    """A blurred photograph in, a sharp one out."""


fix.register(app)
batch.register(app)
kernel.register(app)
blur.register(app)
lens.register(app)
methods.register(app)
networks.register(app)
weights.register(app)
export.register(app)
evaluate.register(app)
train.register(app)
experiment.register(app)
serve.register(app)
worker.register(app)
demo.register(app)


@app.command()
def version() -> None:
    """Print the version."""
    say(f"unblur {__version__}")


class _Terminated(BaseException):
    """Somebody sent SIGTERM."""


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that what is half done is cleaned up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` and give its exit code.

    0: all done; 1: some input failed; 2: wrong usage; 130 and 143: stopped by SIGINT and SIGTERM.

    Example:
        >>> main(["version"])
        unblur 0.1.0
        0
    """
    arguments, debug = _take_debug(list(sys.argv[1:] if argv is None else argv))
    mark = DEBUG.set(debug)
    try:
        with _stoppable():
            code = typer.main.get_command(app).main(
                args=arguments, prog_name="unblur", standalone_mode=False
            )
    except typer.TyperException as error:
        return _usage(error)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except _Terminated:
        code = 143
    finally:
        DEBUG.reset(mark)
    if code in (130, 143):
        tell("unblur: stopped; nothing half-written was left behind")
    return code if isinstance(code, int) else 0


def entry() -> NoReturn:
    """Be the program `unblur`."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a stream that somebody replaced
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    gc.freeze()  # what is left goes with the process: to look through it takes a third of a second
    sys.exit(code)


def _take_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Take `--debug` out of the arguments: it means the same wherever it stands."""
    stop = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [word for word in arguments[:stop] if word != "--debug"]
    return kept + arguments[stop:], len(kept) < stop


def _usage(error: typer.TyperException) -> int:
    message = error.format_message().strip()
    if message:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "unblur"
        tell(f"unblur: {clean(message)}\nTry '{path} --help'.")
    return error.exit_code
