"""How the body of a recorded request or answer stands in a cassette: as data that people can read, and back again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import yaml

from pokitdok_ext.testing._bodies import bare

BOUNDARY = "between-the-parts"
"""Stands for the boundary of every multipart body, which is otherwise another one each time."""

Headers = Mapping[str, str | list[str]]

_PART = re.compile(r"--" + BOUNDARY + r"\r\n(?P<headers>(?:[^\r\n]+\r\n)+)\r\n(?P<text>.*?)\r\n(?=--)", re.DOTALL)


class Dumper(yaml.CSafeDumper):
    """Writes text of several lines as a block."""


def _text(dumper: yaml.CSafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


Dumper.add_representer(str, _text)


def media_type(headers: Headers) -> str:
    """Content-Type among the headers of a live request (text) or of a recorded one (lists of text); empty without."""
    for name, value in headers.items():
        if name.lower() == "content-type":
            return value if isinstance(value, str) else value[0]
    return ""


def readable(body: bytes | str | None, headers: Headers) -> Any:
    """A body as YAML shows it: ``{json: ...}``, ``{form: ...}``, ``{parts: ...}``, ``{text: ...}``, bytes, or None."""
    if not body:
        return None
    if isinstance(body, bytes):
        try:
            body = body.decode()
        except UnicodeDecodeError:
            return body
    for shape in _shapes(body, bare(media_type(headers))):
        if as_recorded(shape) == body:
            return shape
    try:
        return {"json": json.loads(body)}
    except ValueError:
        return {"text": body}


def _shapes(text: str, name: str) -> list[dict[str, Any]]:
    if name == "application/x-www-form-urlencoded":
        return [{"form": dict(parse_qsl(text, keep_blank_values=True))}]
    if name == "multipart/form-data":
        parts = [(found["headers"].removesuffix("\r\n").split("\r\n"), found["text"]) for found in _PART.finditer(text)]
        return [{"parts": [{"headers": headers, "text": content} for headers, content in parts]}]
    return []


def as_recorded(body: Any) -> Any:
    """What `readable` was given, from what it gave; JSON comes back in the spelling of `canonical`."""
    match body:
        case {"json": value}:
            return json.dumps(value)
        case {"form": value}:
            return urlencode(value)
        case {"parts": parts}:
            written = ["\r\n".join((f"--{BOUNDARY}", *part["headers"], "", part["text"], "")) for part in parts]
            return "".join(written) + f"--{BOUNDARY}--\r\n"
        case {"text": value}:
            return value
        case None:
            return ""
    return body


def canonical(body: bytes | str | None, headers: Headers) -> tuple[bytes | str | None, dict[str, Any]]:
    """Body and headers in the one spelling in which equal requests are equal: JSON's spaces, a multipart's boundary."""
    name, kept = media_type(headers), dict(headers)
    if bare(name) == "multipart/form-data" and "boundary=" in name:
        chosen = name.partition("boundary=")[2].split(";")[0].strip('"')
        kept = {key: name.replace(chosen, BOUNDARY) if value == name else value for key, value in kept.items()}
        content = body.encode() if isinstance(body, str) else body or b""
        return content.replace(chosen.encode(), BOUNDARY.encode()), kept
    if bare(name).endswith("json") and body:
        try:
            return json.dumps(json.loads(body)), kept
        except ValueError:
            pass
    return body, kept
