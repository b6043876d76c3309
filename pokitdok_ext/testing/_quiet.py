"""Keeps others from printing whole requests in a failing test: loggers, an error of vcrpy, frames of a traceback."""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from typing import Any

_HOLDERS = (
    *("vcr.stubs.httpx_stubs", "vcr.cassette", "vcr.errors", "vcr.request", "vcr.matchers", "vcr.filters"),
    *("httpx._client", "httpx._transports.default", "httpx._transports.mock", "httpx._transports.asgi"),
    *("pokitdok_ext._auth", "pokitdok_ext._connections", "pokitdok_ext._sending"),
)
"""Modules whose functions are given requests as they are; pytest prints the arguments of a frame that it shows."""


@cache
def quiet() -> None:
    """Log warnings only, tell of a request that was not found as a cassette would have it, and hide those frames."""
    logging.getLogger("vcr").setLevel(logging.WARNING)
    for name in _HOLDERS:
        vars(import_module(name))["__tracebackhide__"] = True
    error: Any = import_module("vcr.errors").CannotOverwriteExistingCassetteException
    usual = error.__init__

    def about_the_scrubbed_request(self: Any, *, cassette: Any, failed_request: Any) -> None:
        usual(self, cassette=cassette, failed_request=cassette.filter_request(failed_request) or failed_request)

    error.__init__ = about_the_scrubbed_request
