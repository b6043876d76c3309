"""What a request or answer body says, by its media type. The checker compares the outcome with a schema."""

from __future__ import annotations

import json
from email.message import Message
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl


def bare(media_type: str | None) -> str:
    """A media type without parameters, in lower case; empty if there is none."""
    return (media_type or "").partition(";")[0].strip().lower()


def read_body(media_type: str, body: bytes) -> Any:
    """*body* as data: JSON, the fields of a form, the parts of a multipart message, or text.

    Args:
        media_type: Content-Type with its parameters; multipart cannot be read without its boundary.
        body: The body as sent.

    Raises:
        ValueError: It is not what its media type says.
    """
    name = bare(media_type)
    if name == "multipart/form-data":
        return _parts(media_type, body)
    text = body.decode()
    if name == "application/x-www-form-urlencoded":
        return dict(parse_qsl(text, strict_parsing=True))
    return json.loads(text) if name.endswith("json") else text


def _parts(media_type: str, body: bytes) -> dict[str, str]:
    """The parts by name. The content of a file counts as text, which is what its schema says too."""
    message: Message = BytesParser().parsebytes(b"Content-Type: " + media_type.encode() + b"\r\n\r\n" + body)
    if not message.is_multipart():
        raise ValueError("no parts")
    parts: dict[str, str] = {}
    for part in message.get_payload():
        if not isinstance(part, Message):
            raise ValueError("a part without headers")  # noqa: TRY004 - callers are promised a ValueError
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise ValueError("a part without a name")  # noqa: TRY004
        parts[name] = str(part.get_payload())
    return parts
