"""Lists in pages: which part of a list a request wants, and how it is told where the next part is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pokitdok_sandbox.calls import Answer, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pokitdok_sandbox.calls import Call

PAGE = 20
"""Items of a page when limit is left out, as recorded."""
LARGEST_PAGE = 1000
LARGEST_OFFSET = 2**53


def bounds(call: Call) -> tuple[int, int]:
    """Return the limit and the offset that a request asks for.

    Raises:
        RefusalError: One of them is out of range; 422, naming it.
    """
    limit, offset = call.query.get("limit", PAGE), call.query.get("offset", 0)
    wrong = {name: ["Not in the allowed range."] for name, bad in (("limit", limit < 1), ("offset", offset < 0)) if bad}
    if wrong:
        raise invalid(wrong)
    return min(limit, LARGEST_PAGE), min(offset, LARGEST_OFFSET)


def next_page(call: Call, limit: int, offset: int, count: int) -> dict[str, str]:
    """Return the member of meta that links the following page, the filters of the request kept; empty on the last."""
    if offset + limit >= count:
        return {}
    parts = urlsplit(call.url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "offset"]
    return {"next": urlunsplit(parts._replace(query=urlencode([*query, ("offset", offset + limit)])))}


def page(call: Call, items: Sequence[Any], *, counted: bool = False) -> Answer:
    """Answer the part of ``items`` that was asked for.

    Args:
        call: The request.
        items: The whole list.
        counted: Whether meta tells the length of the whole list; recorded for activities, plans and providers.
    """
    limit, offset = bounds(call)
    count = {"result_count": len(items)} if counted else {}
    return Answer(list(items[offset : offset + limit]), {**count, **next_page(call, limit, offset, len(items))})
