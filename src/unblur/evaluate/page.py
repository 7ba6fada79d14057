"""The report as one HTML file that needs nothing beside it, with crops side by side."""

import base64
import html
import math
from collections.abc import Sequence

from unblur.evaluate.crops import TRUTH
from unblur.evaluate.published import Published
from unblur.evaluate.records import Store
from unblur.evaluate.run import Run
from unblur.evaluate.score import Score
from unblur.evaluate.tables import Summary, number, summary, worst_first

__all__ = ["page"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
tr { border-bottom: 1px solid #ddd }
figure { display: inline-block; margin: 0 .5rem .5rem 0 }
figcaption { font-size: 13px }
img { image-rendering: pixelated; background: #888 }
"""


def page(
    done: Run,
    scores: Sequence[Score],
    others: Sequence[Published] = (),
    *,
    store: Store,
    crops: int = 40,
) -> str:
    """Lay out the summary, then the pictures, the worst first.

    Args:
        done: the run.
        scores: of the run.
        others: published scores.
        store: has the crops.
        crops: so many of the worst pictures are shown; all are listed.
    """
    names = worst_first(done)
    variant = f" ({done.variant})" if done.variant else ""
    title = html.escape(f"{done.protocol.name}{variant}")
    failed = "".join(
        f"<li>{html.escape(name)}: {html.escape(message)}</li>"
        for name, message in done.failures.items()
    )
    sections = "\n".join(_section(done, name, store if n < crops else None)
                         for n, name in enumerate(names))  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>unblur evaluate: {title}</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>{title}</h1>\n{_table(summary(scores, others))}\n"
        + (f"<h2>Failed, and left out</h2><ul>{failed}</ul>\n" if failed else "")
        + f"<h2>Pictures, the worst first</h2>\n{sections}\n</body></html>\n"
    )


def _table(table: Summary) -> str:
    lines = [("th", table.head), *(("td", row) for row in table.rows)]
    rows = "\n".join(
        "<tr>" + "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in cells) + "</tr>"
        for kind, cells in lines
    )
    legend = "".join(f"<li>{html.escape(line)}</li>" for line in table.legend)
    return f"<table>\n{rows}\n</table>\n<ul>{legend}</ul>"


def _section(done: Run, name: str, store: Store | None) -> str:
    leading = next(iter(done.protocol.comparison.metrics))
    captions = {TRUTH: TRUTH}
    for contender in done.contenders:
        records = [each for each in done.records[contender.label] if each.picture == name]
        value = records[0].values.get(leading) if records else None
        captions[contender.label] = f"{contender.label}: {number(leading, value)}"
    shown = html.escape(name)
    if store is None:
        line = ", ".join(text for label, text in captions.items() if label != TRUTH)
        return f"<p>{shown}: {html.escape(line)}</p>"
    figures = [
        _figure(store.crop(label, name), caption)
        for label, caption in sorted(captions.items(), key=lambda entry: _order(done, entry[0]))
    ]
    return f"<h3>{shown}</h3>\n{''.join(figures)}"


def _order(done: Run, label: str) -> float:
    """The input first, then the methods, the truth last."""
    labels = [contender.label for contender in done.contenders]
    return labels.index(label) if label in labels else math.inf


def _figure(content: bytes | None, caption: str) -> str:
    if content is None:
        return ""
    data = base64.b64encode(content).decode("ascii")
    text = html.escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )
