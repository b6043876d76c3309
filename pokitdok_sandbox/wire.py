"""How answers look on the wire, oddities of the recordings included. What is answered is decided elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.utils import formatdate
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PAGE = (
    '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n<title>{title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n'
)
MANY_WARNINGS = 20
ANSWER = "x-sandbox-answer"


@dataclass(frozen=True)
class Wire:
    """Writes answers: as recorded, or with ``modern`` under content types that say what is inside."""

    modern: bool

    def enveloped(self, meta: Mapping[str, Any], data: Any, status: int) -> Response:
        """Write an answer given after authentication."""
        return self._json({"meta": meta, "data": data}, status)

    def example(self, body: Any, status: int, media_type: str) -> Response:
        """Write an example of the contract and say that it is one; without a media type there is no content."""
        if not media_type:
            response = self.no_content(status)
        elif media_type == "application/json":
            response = self._json(body, status)
        else:
            response = self.form(body, status, media_type)
        response.headers[ANSWER] = "example"
        return response

    def form(self, body: Any, status: int, media_type: str) -> Response:
        """Write an answer in a form that is not plain JSON."""
        text = body if isinstance(body, str) else json.dumps(body)
        return Response(text, status, {"content-type": media_type})

    def no_content(self, status: int = 204) -> Response:
        """Write an answer without content; a recorded 204 calls itself HTML, too."""
        return Response(None, status, {} if self.modern else {"content-type": "text/html; charset=utf-8"})

    def token(self, body: Mapping[str, Any], status: int) -> Response:
        """Write an answer of the token endpoint."""
        headers = {
            "content-type": "application/json;charset=UTF-8",
            "cache-control": "no-store",
            "pragma": "no-cache",
        }
        return Response(json.dumps(body), status, headers)

    def message(self, text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
        """Write a bare failure."""
        return Response(json.dumps({"message": text}), status, headers, media_type="application/json")

    def unauthorized(self) -> Response:
        """Write the answer to a token that is missing, wrong or expired. No challenge header was recorded."""
        return self.message("Unauthorized", 401, {"www-authenticate": "Bearer"} if self.modern else None)

    def moved(self, location: str) -> Response:
        """Write the redirect to the path with its final slash."""
        headers = {"location": location}
        if self.modern:
            return self.message("Moved Permanently", 301, headers)
        link = escape(location)
        text = f'The address with its final slash: <a href="{link}">{link}</a>'
        return self._page("Redirecting...", text, 301, headers, "text/html; charset=utf-8")

    def method_not_allowed(self, allowed: Iterable[str]) -> Response:
        """Write the answer to a method that the path does not have."""
        headers = {"allow": ", ".join(allowed)}
        if self.modern:
            return self.message("Method Not Allowed", 405, headers)
        return self._page("Method Not Allowed", "This address does not take that method.", 405, headers, "text/html")

    def not_found(self) -> Response:
        """Write the answer to a path outside the contract."""
        if self.modern:
            return self.message("Not Found", 404)
        return self._page("Not Found", "Nothing is served at this address.", 404, {}, "text/html")

    def html_failure(self) -> Response:
        """Write a 500 as a proxy in front of the platform would."""
        return self._page("Internal Server Error", "The fault that was ordered.", 500, {}, "text/html")

    def _json(self, body: Any, status: int) -> Response:
        """Write JSON that calls itself HTML and has two odd headers, as recorded."""
        if self.modern:
            return Response(json.dumps(body), status, media_type="application/json")
        headers = {"content-type": "text/html; charset=utf-8", "mimetype": "application/json", "charset": "utf-8"}
        return Response(json.dumps(body), status, headers)

    def _page(self, title: str, text: str, status: int, headers: Mapping[str, str], kind: str) -> Response:
        return Response(PAGE.format(title=title, text=text), status, {**headers, "content-type": kind})


def http_date(moment: float) -> str:
    """Write a Unix time as HTTP does (RFC 9110 section 5.6.7)."""
    return formatdate(moment, usegmt=True)


def mark(response: Response, *, evidence: str, warnings: list[str]) -> Response:
    """Add what only the sandbox says: on what the answer rests, who gave it, what in the request was not documented.

    ``rules`` worked an answer out, be it a refusal; ``example`` stands there already when the contract's example went
    out instead.
    """
    response.headers["x-sandbox-evidence"] = evidence
    response.headers.setdefault(ANSWER, "rules")
    if warnings:
        shown = warnings[:MANY_WARNINGS]
        if len(warnings) > MANY_WARNINGS:
            shown.append(f"and {len(warnings) - MANY_WARNINGS} more")
        # names come from the caller: anything that a header cannot carry is percent-encoded
        response.headers["x-sandbox-warning"] = quote("; ".join(shown), safe=" /:;,.?_~-")
    return response
