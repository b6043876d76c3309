"""The page at /: credentials, lines to paste, the API reference, and what happens at this moment. Files are in web."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import swagger_ui_bundle  # type: ignore[import-untyped]
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from pokitdok_sandbox.lifecycle import reached, steps, view
from pokitdok_sandbox.settings import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET

if TYPE_CHECKING:
    from starlette.requests import Request

    from pokitdok_sandbox.contract import Contract
    from pokitdok_sandbox.world import World

WEB = Path(__file__).parent / "web"
NEWEST = 20
"""Activities and tokens that the page lists."""
OWN_ALONE = {
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; form-action 'self'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""Headers with which a browser itself refuses every request to another server."""


def routes(world: World, contract: Contract) -> list[BaseRoute]:
    """Return the routes of the page, of its files and of what they show."""
    page = _Page(world, contract)
    return [
        Route("/", page.start),
        Route("/_sandbox/reference", page.reference),
        Route("/_sandbox/openapi.json", page.openapi),
        Route("/_sandbox/live", page.live),
        Mount("/_sandbox/web", StaticFiles(directory=WEB)),
        Mount("/_sandbox/swagger-ui", StaticFiles(directory=swagger_ui_bundle.swagger_ui_path)),
    ]


@dataclass(frozen=True)
class _Page:
    world: World
    contract: Contract

    async def start(self, request: Request) -> Response:
        settings = self.world.settings
        url = str(request.base_url).rstrip("/")
        if self._is_public():
            shown = f"<code>{escape(settings.client_secret)}</code>"
            credentials = f"{json.dumps(settings.client_id)}, {json.dumps(settings.client_secret)}, "
            login = shlex.quote(f"{settings.client_id}:{settings.client_secret}")
        else:  # a secret of somebody's own is not for the screen
            shown = "the one it was started with; the lines below read <code>POKITDOK_CLIENT_SECRET</code>"
            credentials = ""  # connect() reads the environment
            login = shlex.quote(f"{settings.client_id}:") + '"$POKITDOK_CLIENT_SECRET"'
        return self._filled(
            "index.html",
            {
                "url": escape(url),
                "client_id": escape(settings.client_id),
                "secret": shown,
                "mode": escape(settings.mode_of(settings.client_id)),
                "login": escape(login),
                "connect": escape(f"{credentials}base_url={json.dumps(url)}"),
            },
        )

    async def reference(self, _request: Request) -> Response:
        settings = self.world.settings
        secret = settings.client_secret if self._is_public() else ""
        return self._filled(
            "reference.html", {"client_id": escape(settings.client_id), "client_secret": escape(secret)}
        )

    async def openapi(self, _request: Request) -> Response:
        here = {"url": "/", "description": "This sandbox"}
        return JSONResponse({**self.contract.document, "servers": [here]})

    async def live(self, _request: Request) -> Response:
        """Answer the newest activities and tokens: ids, names, states and times; nothing that a request said."""
        now = self.world.clock()
        records, total = self.world.store.activities(limit=NEWEST, offset=0, parent_id=None, newest_first=True)
        tokens, tokens_total = self.world.store.tokens(now, limit=NEWEST)
        return JSONResponse(
            {
                "now": now,
                "activities": [self._activity(record, now) for record in records],
                "activities_total": total,
                "tokens": [
                    {key: token.get(key) for key in ("client_id", "issued", "expires")}
                    | {"kind": token.get("kind", "access"), "scopes": list(token.get("scopes", []))}
                    for token in tokens
                ],
                "tokens_total": tokens_total,
            },
            headers={"cache-control": "no-store"},
        )

    def _activity(self, record: dict[str, Any], now: float) -> dict[str, Any]:
        pace = self.world.settings.pace
        last = steps(record)
        return {
            "id": record["id"],
            "name": record["name"],
            "trading_partner_id": record["trading_partner_id"],
            "created": record["created"],
            "state": view(record, now, pace)["state"]["name"],
            "step": last if record.get("ended") else len(reached(record, now, pace)),
            "steps": last,
        }

    def _is_public(self) -> bool:
        settings = self.world.settings
        return (settings.client_id, settings.client_secret) == (DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET)

    def _filled(self, name: str, values: dict[str, str]) -> Response:
        text = Template((WEB / name).read_text(encoding="utf-8")).substitute(values)
        return HTMLResponse(text, headers=OWN_ALONE)
