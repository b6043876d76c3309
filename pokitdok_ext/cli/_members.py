"""Questions about members, from options or from a CSV file, which is looked at as a whole before anything is sent."""

import csv
import hashlib
import io
import json
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import click

from ._documents import read_text

MEMBER_COLUMNS = {
    "member_id": "id",
    "first_name": "first_name",
    "middle_name": "middle_name",
    "last_name": "last_name",
    "birth_date": "birth_date",
    "gender": "gender",
    "group_number": "group_number",
}
"""Columns and options that tell of the member, and their names in a request."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

COLUMNS = (*MEMBER_COLUMNS, "trading_partner", "npi", "service_types", "reference")


@dataclass(frozen=True)
class Row:
    """One question of a file.

    Attributes:
        number: Of the row, from 1; the heading and empty lines are not counted.
        question: The request.
        reference: The caller's own key, from the column of that name.
    """

    number: int
    question: dict[str, Any]
    reference: str | None

    @property
    def check(self) -> str:
        """16 hex digits that tell whether a row is still the one that was asked."""
        return hashlib.sha256(json.dumps(self.question, sort_keys=True).encode()).hexdigest()[:16]


def question(values: dict[str, str | None], service_types: list[str]) -> dict[str, Any]:
    """A request from the values of columns or options.

    Raises:
        ValueError: What cannot be asked, without a value: those are a patient's.
    """
    member = {MEMBER_COLUMNS[name]: value for name, value in values.items() if name in MEMBER_COLUMNS and value}
    if not values.get("trading_partner"):
        raise ValueError("no trading partner: --trading-partner, or a column trading_partner")
    if not {"id", "birth_date"} & member.keys():
        raise ValueError("neither member_id nor birth_date")
    if "birth_date" in member and not _is_date(member["birth_date"]):
        raise ValueError("birth_date is not a date like 1984-06-17")
    asked: dict[str, Any] = {"trading_partner_id": values["trading_partner"], "member": member}
    if values.get("npi"):
        asked["provider"] = {"npi": values["npi"]}
    if service_types:
        asked["service_types"] = service_types
    return asked


def read_rows(file: Path, defaults: dict[str, str | None], service_types: list[str]) -> list[Row]:
    """The questions of a CSV file with a heading.

    Args:
        file: Comma-separated, UTF-8, a byte order mark allowed.
        defaults: Values for columns that a row leaves empty.
        service_types: Asked for where a row names none; in a cell they are separated by `|`.

    Raises:
        click.UsageError: A column or a row cannot be used; its number and its line are told, never what is in it.
    """
    text = read_text(file)
    # A row may end in a bare carriage return only where all do: one that got into a cell would make two rows of it.
    reader = csv.reader(io.StringIO(text, newline="\n" if "\n" in text else ""), strict=True)
    rows: list[Row] = []
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        _check_columns(file, columns)
        line = reader.line_num + 1
        for cells in reader:
            if any(cells):
                number = len(rows) + 1
                where = f"{file}, row {number} (line {line})"
                rows.append(Row(number, *_asked(where, _cells(where, columns, cells), defaults, service_types)))
            line = reader.line_num + 1  # a row has as many lines as there are line breaks in its cells
    except csv.Error as error:
        problem = "a carriage return in a cell that is not in quotes" if "new-line" in f"{error}" else f"{error}"
        raise click.UsageError(f"{file}, line {reader.line_num}: {problem}") from None
    return rows


def _is_date(text: str) -> bool:
    """Whether *text* is a day written like 1984-06-17; `date.fromisoformat` takes other forms too."""
    try:
        return _DATE.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _check_columns(file: Path, columns: list[str]) -> None:
    unknown = [str(number) for number, name in enumerate(columns, start=1) if name not in COLUMNS]
    if not columns or unknown:
        # By number: without a heading, the names are the data of the first patient.
        what = f"column {', '.join(unknown)} of the heading is unknown" if columns else "no heading"
        raise click.UsageError(f"{file}: {what}; is the first line a heading? The columns are {', '.join(COLUMNS)}")
    if len(set(columns)) < len(columns):
        raise click.UsageError(f"{file}: a column is there twice")


def _cells(where: str, columns: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) > len(columns):
        raise click.UsageError(f"{where}: more cells than columns; is a comma not in quotes?")
    if len(cells) < len(columns):
        raise click.UsageError(f"{where}: fewer cells than columns; is a line break not in quotes?")
    return {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if cell.strip()}


def _asked(
    where: str, given: dict[str, str], defaults: dict[str, str | None], service_types: list[str]
) -> tuple[dict[str, Any], str | None]:
    """The question and the reference of a row."""
    types = [part.strip() for part in given.get("service_types", "").split("|") if part.strip()]
    try:
        return question({**defaults, **given}, types or service_types), given.get("reference")
    except ValueError as error:
        raise click.UsageError(f"{where}: {error}") from None
