"""What is on the page, and where."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from unblur.restore import catalogue
from unblur.service.parsing import describe

__all__ = ["ASSETS", "build"]

ASSETS = Path(__file__).parent / "assets"
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "Consolas", "Menlo", "monospace")
_INTRO = (
    "# unblur\n"
    "A blurred photograph in, a sharp one out. Nothing leaves this server, and what you hand in is "
    "removed after a day."
)


def build() -> Any:
    """Make the page as Gradio's Blocks, with theme and head as `launch` would take them.

    Returns:
        The blocks; `theme` and `head` are set on them.
    """
    # Before the import, which looks at them.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gradio as gr

    methods = [describe(method) for method in catalogue.METHODS]
    # A function in the place of a handler of Python's: the page speaks with the REST calls.
    html = partial(gr.HTML, js_on_load=None, apply_default_css=False)
    with gr.Blocks(title="unblur", analytics_enabled=False, fill_width=True) as blocks:
        with gr.Row(elem_id="unblur-head"):
            gr.Markdown(_INTRO)
            html(_read("head.html"))
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=300):
                html(_read("drop.html"))
                method = gr.Dropdown(
                    choices=[(_label(entry), entry["name"]) for entry in methods],
                    value=catalogue.DEFAULT,
                    label="Method",
                    elem_id="unblur-method",
                    filterable=False,
                )
                html(_read("method.html"))
                html(_read("settings.html"))
                with gr.Row():
                    start = gr.Button("Make it sharp", variant="primary", elem_id="unblur-start")
                    stop = gr.Button("Cancel", elem_id="unblur-stop", interactive=False)
            with gr.Column(scale=2, min_width=320):
                html(_read("stage.html"))
                strength = gr.Slider(
                    0.0,
                    1.0,
                    1.0,
                    step=0.05,
                    label="Strength",
                    info="The share of the result, against the photograph as it was; nothing is "
                    "computed again.",
                    elem_id="unblur-strength",
                )
                html(_read("found.html"))
        method.change(None, method, None, js="name => { window.unblur.choose(name); return []; }")
        start.click(None, None, None, js="() => { window.unblur.start(); return []; }")
        stop.click(None, None, None, js="() => { window.unblur.cancel(); return []; }")
        strength.change(
            None, strength, None, js="value => { window.unblur.strength(value); return []; }"
        )
    known = json.dumps(methods).replace("<", "\\u003c")
    blocks.theme = gr.themes.Soft(font=_FONTS, font_mono=_MONO)
    blocks.head = (
        '<link rel="stylesheet" href="/page/page.css">'
        f'<script type="application/json" id="unblur-methods">{known}</script>'
        '<script src="/page/view.js" defer></script><script src="/page/page.js" defer></script>'
    )
    return blocks


def _read(name: str) -> str:
    return (ASSETS / name).read_text("utf-8")


def _label(entry: dict[str, Any]) -> str:
    return entry["name"] if entry["ready"] else f"{entry['name']} (not ready on this server)"
