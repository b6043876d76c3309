"""Rows for a person to read: a table, or a list where the window is too narrow for one."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pokitdok_api.types import Unset

LONGEST_WORD = 16
"""Columns beyond which a word or an id is broken before a table becomes a list; a date has 10."""

_NUMBER = re.compile(r"(-?[0-9]+)(?:\.([0-9]+))?(\D.*)?", re.DOTALL)


def printable(value: object) -> str:
    """*value* as text without control characters: what a server sends must not steer a terminal."""
    text = "" if value is None else str(value)
    return "".join(sign if sign.isprintable() or sign in "\n " else "\N{REPLACEMENT CHARACTER}" for sign in text)


def show_rows(
    out: Console,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    amounts: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """Print *rows* under *columns*.

    Where the window is narrow, text is wrapped between words; where that is not enough, words and ids of more than
    `LONGEST_WORD` columns are broken. Amounts and dates never are. Empty columns are left out.

    Args:
        out: Where to print.
        columns: Headings.
        rows: A cell for each column.
        amounts: Columns of amounts, such as `2387.25 USD` or `10%`; aligned at the decimal point.
        whole: Columns of dates and ids, which are not wrapped between words.
    """
    texts = [[_shown(out, cell) for cell in row] for row in rows]
    used = [place for place in range(len(columns)) if any(row[place] for row in texts)]
    columns, texts = [columns[place] for place in used], [[row[place] for place in used] for row in texts]
    for place, column in enumerate(columns):
        if column in amounts:
            for row, text in zip(texts, aligned([row[place] for row in texts]), strict=True):
                row[place] = text
    cells = [[column, *(row[place] for row in texts)] for place, column in enumerate(columns)]
    natural = [max(map(cell_len, each)) for each in cells]
    stays = [column in amounts or column in whole for column in columns]
    words = [max(cell_len(word) for cell in each for word in cell.split()) for each in cells]
    table, widths = Table(), fitted(natural, natural, out.width - 3 * len(columns) - 1)
    if widths is None:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        room = out.width - 2 * (len(columns) - 1)
        least = [most if stay else word for most, stay, word in zip(natural, stays, words, strict=True)]
        broken = [
            most if column in amounts else min(most, LONGEST_WORD) for column, most in zip(columns, least, strict=True)
        ]
        widths = fitted(natural, least, room) or fitted(natural, broken, room)
    if widths is not None:
        for column, width in zip(columns, widths, strict=True):
            heading = Text(column, justify="right" if column in amounts else "left")
            table.add_column(heading, width=width, overflow="fold")
        for row in texts:
            table.add_row(*map(Text, row))
        out.print(table)
        return
    for row in texts:
        out.print()
        for column, text, stay in zip(columns, row, stays, strict=True):
            if text.strip():
                out.print(f"{column}: {text.strip()}", overflow="fold", soft_wrap=stay)


def fitted(natural: Sequence[int], least: Sequence[int], room: int) -> list[int] | None:
    """Widths of columns that fit into *room* together, the widest narrowed first; None if there are none.

    Args:
        natural: The widths of the columns where there is room enough.
        least: What they can be narrowed to.
        room: The sum of the widths at most.
    """
    widths = list(natural)
    while sum(widths) > room:
        spare = [place for place, width in enumerate(widths) if width > least[place]]
        if not spare:
            return None
        widths[max(spare, key=widths.__getitem__)] -= 1
    return widths


def aligned(amounts: Sequence[str]) -> list[str]:
    """*amounts* padded so that their decimal points are in one place.

    All of a unit get as many decimals as one of them has; in a currency at least two, if one has any.
    """
    found = [_NUMBER.fullmatch(amount) for amount in amounts]
    decimals: dict[str, int] = defaultdict(int)
    for number in found:
        if number:
            unit, digits = number[3] or "", len(number[2] or "")
            decimals[unit] = max(decimals[unit], 2 if digits == 1 and unit != "%" else digits)
    parts = []
    for amount, number in zip(amounts, found, strict=True):
        if number is None:
            parts.append((amount, ""))
            continue
        unit = number[3] or ""
        fraction = (number[2] or "").ljust(decimals[unit], "0")
        parts.append((number[1], f".{fraction}{unit}" if fraction else unit))
    before, after = (max(map(len, side), default=0) for side in zip(*parts, strict=True)) if parts else (0, 0)
    return [f"{whole:>{before}}{rest:<{after}}" if whole else "" for whole, rest in parts]


def differences(shown: Sequence[object], facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """What tells rows apart that look alike: for each row, its facts that others with the same looks do not share.

    Args:
        shown: What each row shows; rows with equal values look alike.
        facts: All that is known of each row, by name.
    """
    alike: dict[object, list[int]] = defaultdict(list)
    for place, looks in enumerate(shown):
        alike[looks].append(place)
    told = [""] * len(facts)
    for places in alike.values():
        names = dict.fromkeys(name for place in places for name in facts[place])
        telling = [
            name for name in names if any(facts[each].get(name) != facts[places[0]].get(name) for each in places)
        ]
        for place in places:
            texts = ((name, _fact(name, facts[place].get(name))) for name in telling)
            told[place] = "; ".join(_with_name(name, text) for name, text in texts if text)
    return told


def in_words(value: object) -> str:
    """A code, a text or a structure of them as words: `calendar_year` becomes `calendar year`.

    Other texts stay as they are, and so does what a structure calls ..._id or ..._number.
    """
    if value is None or isinstance(value, Unset):
        return ""
    if isinstance(value, Mapping):
        return " ".join(filter(None, (_fact(name, each) for name, each in value.items())))
    if isinstance(value, list):
        return ", ".join(filter(None, map(in_words, value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = printable(value)
    return text.replace("_", " ") if re.fullmatch(r"[a-z]+(_[a-z]+)*", text) else text


def _fact(name: str, value: object) -> str:
    return printable(value) if isinstance(value, str) and name.endswith(("_id", "_number")) else in_words(value)


def _with_name(name: str, text: str) -> str:
    """A text speaks for itself; a number, a date or yes does not."""
    return text if re.search(r"[^\W\d_]{4}", text) else f"{in_words(name)} {text}"


def _shown(out: Console, cell: object) -> str:
    """The text of a cell as the output can show it, so that it is measured as it is written."""
    return printable(cell).encode(out.encoding, "backslashreplace").decode(out.encoding)
