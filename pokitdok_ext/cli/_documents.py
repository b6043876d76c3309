"""What a user hands in (files, the standard input) and what the API answered, as text and JSON.

Input is UTF-8 whatever the locale, with or without a byte order mark. What is wrong with it is told by its place; its
content is not quoted, since it may be a patient's.
"""

import json
import os
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import click

_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # two halves of a character
    r"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"  # a half alone
    r"|\\."
)
_AMOUNT_NAME = re.compile(r"(\w+_)?amount|payer_amount_paid|amount_owed")
_QUANTITIES = {"limit_amount"}
_AMOUNT = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?")


def read_text(source: str | Path) -> str:
    """The text of a file, or of the standard input for `-`, without its byte order mark.

    Raises:
        click.UsageError: It cannot be read or is not UTF-8.
    """
    name = name_of(source)
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{name} cannot be read: {error.strerror}") from None
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        place = error.start
    raise click.UsageError(f"{name} is not UTF-8 (byte {place}, counted from 0); save it as UTF-8")


def read_document(source: str) -> Any:
    """The JSON (RFC 8259) of a file, or of the standard input for `-`.

    Raises:
        click.UsageError: It cannot be read, is not UTF-8 or no JSON, or cannot be sent.
    """
    name, text = name_of(source), read_text(source)
    try:
        document = json.loads(text, parse_float=_exact, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        problem = f"is not JSON: line {error.lineno}, column {error.colno}"
    except _NumberError as error:
        problem = str(error)
    except ValueError:
        problem = "holds a number of thousands of digits"
    except RecursionError:
        problem = "is nested too deeply"
    else:
        half = next((found for found in _ESCAPE.finditer(text) if found[1]), None)
        if half is None:
            return document
        line, column = text.count("\n", 0, half.start()) + 1, half.start() - text.rfind("\n", 0, half.start())
        problem = f"holds half a character (a lone surrogate, such as \\ud800) in line {line}, column {column}"
    raise click.UsageError(f"{name} {problem}")


def read_object(source: str) -> dict[str, Any]:
    """As `read_document`, for a JSON object.

    Raises:
        click.UsageError: It is another kind of JSON.
    """
    document = read_document(source)
    if not isinstance(document, dict):
        raise click.UsageError(f"{name_of(source)} holds no JSON object")
    return document


def name_of(source: str | Path) -> str:
    """*source* in a message."""
    return "the standard input" if source == "-" else str(source)


def in_unicode(text: str) -> str:
    """*text* from the command line or a prompt, as it was typed.

    Under a locale such as C, Python makes lone surrogates of all bytes that are not ASCII (PEP 383). They are UTF-8.

    Raises:
        click.UsageError: They are not.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return text
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        problem = "an argument or an answer is not UTF-8"
    raise click.UsageError(problem)


class _NumberError(ValueError):
    """A number that JSON does not have, or that would be sent as another one."""


def _no_constant(name: str) -> NoReturn:
    raise _NumberError(f"is not JSON: {name} is no number")


def _exact(text: str) -> float:
    value = _number(text)
    if isinstance(value, str):
        raise _NumberError("holds a number with more digits than are kept: write it as text, in quotes")
    return value


# ---------------------------------------------------------------- answers


def decoded(content: bytes) -> Any:
    """The JSON of an answer. A number with more digits than a float keeps stays text, so that none is lost.

    Raises:
        ValueError: It is not JSON.
    """
    return json.loads(content, parse_float=_number, parse_constant=_no_constant)


def within(document: Any, *keys: str) -> Any:
    """What is under *keys* in nested objects, None if one of them is not there."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def with_numbers(document: Any) -> Any:
    """A copy of *document* with amounts of money as numbers, where the API writes them as text: "2387.25" as 2387.25.

    Amounts are the members called amount or ..._amount, by the names in the contract. No digit is lost: an amount that
    a float would not give back as it is stays text.
    """
    return json.loads(json.dumps(document), object_hook=_amounts_as_numbers)


def _amounts_as_numbers(members: dict[str, Any]) -> dict[str, Any]:
    for name, value in members.items():
        if isinstance(value, str) and _AMOUNT_NAME.fullmatch(name) and name not in _QUANTITIES:
            members[name] = amount_as_number(value)
    return members


def amount_as_number(text: str) -> float | str:
    """An amount as a number, if that keeps every digit; else *text*."""
    if not _AMOUNT.fullmatch(text):
        return text
    return _number(text) if "." in text else int(text)


def _number(text: str) -> float | str:
    value = float(text)
    return value if value - value == 0 and Decimal(repr(value)) == Decimal(text) else text
