"""Rows of figures as aligned text."""

from collections.abc import Sequence

__all__ = ["table"]

Cell = str | float | int | None


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Align columns: names to the left, figures to the right; None is a dash.

    Floats have two decimals.
    """
    cells = [list(head), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    figures = [
        any(isinstance(row[column], int | float) for row in rows) for column in range(len(head))
    ]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, figures, strict=True)
        ).rstrip()
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)
