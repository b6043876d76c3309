"""The sandbox's own addresses, /healthz and those under /_sandbox. None of them needs a token."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pokitdok_sandbox.reading import document_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from pokitdok_sandbox.world import World

NUMBER = (int, float)
ADJUSTABLE: dict[str, tuple[type, ...]] = {
    "strict": (bool,),
    "consent": (str,),
    "token_life": (int,),
    "application_mode": (str,),
    "credits": (int,),
    "rate_limit": (int, type(None)),
}
"""Settings that may change while the sandbox runs, and their types."""

ORDER: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "share": NUMBER,
    "count": (int, type(None)),
    "operations": (list,),
    "seconds": (*NUMBER, type(None)),
}
"""Members of the order of a fault, and their types."""


def routes(world: World, seed: Callable[[World], None]) -> list[Route]:
    """Return the routes; ``seed`` puts in what exists from the start."""
    initial = world.settings

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ready"})

    async def state(_request: Request) -> Response:
        return JSONResponse(world.state())

    async def reset(_request: Request) -> Response:
        world.store.clear()
        world.counters.clear()
        world.callbacks.clear()
        world.faults.clear()
        world.settings = initial
        seed(world)
        return JSONResponse(world.state())

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            world.faults.clear()
        if request.method != "POST":
            return JSONResponse({"faults": world.faults.listed()})
        try:
            order: dict[str, Any] = {"name": ""} | _typed(await request.body(), ORDER)
            return JSONResponse(world.faults.order(**order), 201)
        except ValueError as error:
            return _refused(error)

    async def settings(request: Request) -> Response:
        try:
            if request.method == "PATCH":
                world.settings = replace(world.settings, **_typed(await request.body(), ADJUSTABLE))
        except ValueError as error:
            return _refused(error)
        return JSONResponse({name: getattr(world.settings, name) for name in ADJUSTABLE})

    async def revoke_tokens(_request: Request) -> Response:
        return JSONResponse({"revoked": world.store.delete_tokens()})

    return [
        Route("/healthz", healthz),
        Route("/_sandbox/state", state),
        Route("/_sandbox/reset", reset, methods=["POST"]),
        Route("/_sandbox/faults", faults, methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/settings", settings, methods=["GET", "PATCH"]),
        Route("/_sandbox/revoke-tokens", revoke_tokens, methods=["POST"]),
    ]


def _typed(body: bytes, types: dict[str, tuple[type, ...]]) -> dict[str, Any]:
    try:
        values = document_of(body)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ValueError(f"send a JSON object; it may have: {', '.join(types)}")  # noqa: TRY004 - the caller's mistake
    for name, value in values.items():
        if name not in types:
            raise ValueError(f"a member is not known; there are: {', '.join(types)}")
        if not isinstance(value, types[name]) or (isinstance(value, bool) and bool not in types[name]):
            raise ValueError(f"{name} has the wrong type")
    if not all(isinstance(name, str) for name in values.get("operations", [])):
        raise ValueError("operations has the wrong type")
    return values


def _refused(error: ValueError) -> Response:
    return JSONResponse({"message": str(error)}, 400)
