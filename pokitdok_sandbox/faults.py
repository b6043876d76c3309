"""Faults that a caller orders for one request by the header X-Sandbox-Fault. Each is counted when it fires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from pokitdok_sandbox.wire import Wire

HEADER = "x-sandbox-fault"
TRUNCATED = "truncated_json"
"""The call is carried out, then half of its answer is lost: the claim that may have been filed."""

INSTEAD: dict[str, Callable[[Wire], Response]] = {
    "unauthorized": lambda wire: wire.unauthorized(),
    "payment_required": lambda wire: wire.message("Payment Required", 402),
    "rate_limit": lambda wire: wire.message("Forbidden (Rate Limited)", 403),
    "server_error": lambda wire: wire.enveloped(
        {"processing_time": 0}, {"errors": {"general": "The fault that was ordered."}}, 500
    ),
    "html_500": lambda wire: wire.html_failure(),
}
"""Answers given in place of the call, which is then not carried out."""

NAMES = (*INSTEAD, TRUNCATED)


def truncated(response: Response) -> Response:
    """Return the same answer with the second half of its body missing, as a complete HTTP message."""
    half = bytes(response.body)[: len(response.body) // 2]
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(half, response.status_code, headers)
