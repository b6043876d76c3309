"""Rows for a person to read: a table, or a list where the window is too narrow for one."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ._session import printable


def show_rows(out: Console, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: str = "") -> None:
    """Print *rows* under *columns*; the one called *right* is aligned to the right."""
    texts = [[printable(cell) for cell in row] for row in rows]
    table = Table()
    for column in columns:
        table.add_column(column, justify="right" if column == right else "left", no_wrap=True)
    for row in texts:
        table.add_row(*map(Text, row))
    if Measurement.get(out, out.options.update(max_width=1_000), table).maximum <= out.width:
        out.print(table)
        return
    for row in texts:
        out.print()
        for column, text in zip(columns, row, strict=True):
            if text:
                out.print(f"{column}: {text}")
