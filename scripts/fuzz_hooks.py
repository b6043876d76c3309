"""What schemathesis needs to be told for scripts/fuzz.py: how the X12 media types are written."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/edi-x12")
def bare(_context: Any, value: Any) -> bytes:
    """Write bare X12: text as it is; what is no text is JSON, which the sandbox has to refuse."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.serializer("application/vnd.pokitdok.v4+edi-x12-json")
def in_json(_context: Any, value: Any) -> bytes:
    """Write X12 in JSON."""
    return json.dumps(value).encode()
