"""The ASGI app: routes made from the contract, and the sandbox's own. The way of a request is in pipeline."""

from __future__ import annotations

import time
from collections import defaultdict
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pokitdok_sandbox import (
    activities,
    authorization,
    claim_status,
    claims,
    codes,
    eligibility,
    examples,
    grants,
    payers,
    payments,
    pharmacy,
    pharmacy_coverage,
    plans,
    prices,
    providers,
    reading,
    trading_partners,
)
from pokitdok_sandbox.callbacks import Callbacks, post_by_http
from pokitdok_sandbox.calls import Call, Handler
from pokitdok_sandbox.contract import Contract, ContractError, Operation, load_contract
from pokitdok_sandbox.lifecycle import QUEUED
from pokitdok_sandbox.pipeline import Pipeline
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.settings import WELL_KNOWN_ACTIVITY, Settings
from pokitdok_sandbox.store import Store
from pokitdok_sandbox.validation import Validation
from pokitdok_sandbox.wire import Wire, mark
from pokitdok_sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from pokitdok_sandbox.callbacks import Post

HANDLERS: Mapping[str, Handler] = {
    **grants.HANDLERS,
    **activities.HANDLERS,
    **eligibility.HANDLERS,
    **claims.HANDLERS,
    **claim_status.HANDLERS,
    **payments.HANDLERS,
    **trading_partners.HANDLERS,
    **payers.HANDLERS,
    **plans.HANDLERS,
    **prices.HANDLERS,
    **codes.HANDLERS,
    **providers.HANDLERS,
    **pharmacy.HANDLERS,
    **pharmacy_coverage.HANDLERS,
}


def create_app(
    settings: Settings | None = None,
    *,
    clock: Callable[[], float] = time.time,
    random: Random | None = None,
    contract: Contract | None = None,
    handlers: Mapping[str, Handler] = HANDLERS,
    post: Post = post_by_http,
) -> Starlette:
    """Build a sandbox for in-process use, for instance with ``httpx.ASGITransport``; ``app.state.world`` is its inside.

    Args:
        settings: The choices; the defaults when left out.
        clock: Unix time in seconds; a test passes one that it moves itself.
        random: Source of ids and tokens; the operating system's when left out.
        contract: The contract to serve; openapi.yaml when left out.
        handlers: operationId to handler; other operations are answered with the examples of the contract.
        post: Sends callbacks. An app in-process has no thread for them: ``app.state.world.callbacks.post_due()`` posts
            what is due, ``start()`` starts one.

    Raises:
        ContractError: The contract is missing, lacks the operation of a handler, or an example that is needed.
        StoreError: The database file cannot be used.
    """
    settings = settings or Settings()
    contract = contract or load_contract()
    ids = [operation.id for operation in contract.operations]
    unknown = [name for name in handlers if name not in ids]
    if unknown:
        raise ContractError(f"handlers of pokitdok_sandbox without an operation in openapi.yaml: {', '.join(unknown)}")
    bare = [operation.id for operation in contract.operations if examples.lacks_example(operation, handlers)]
    if bare:
        raise ContractError(f"operations of openapi.yaml without a synthetic example to answer with: {', '.join(bare)}")
    served = {
        "rules": [name for name in ids if name in handlers],
        "examples": [name for name in ids if name not in handlers],
    }
    store = Store(settings.db)
    callbacks = Callbacks(store, settings.pace, clock, post)
    world = World(settings, store, clock, random or SystemRandom(), callbacks, served)
    seed(world)

    by_path: dict[str, dict[str, Operation]] = defaultdict(dict)
    for operation in contract.operations:
        by_path[operation.path][operation.method] = operation
    wire = Wire(settings.modern)
    pipeline = Pipeline(world, wire, Validation(contract), handlers)
    resources: dict[str, _MissingSlash | _Resource] = {
        path[:-1]: _MissingSlash(wire) for path in by_path if path.endswith("/")
    }
    resources |= {path: _Resource(pipeline, by_path[path]) for path in by_path}
    routes = [Route(path, resources[path]) for path in sorted(resources, key=_literal_first)]

    async def not_found(_request: Request, _error: Exception) -> Response:
        return mark(wire.not_found(), evidence="inferred", warnings=[])

    app = Starlette(
        routes=[*_own_routes(world), _consent_page(world, contract), *routes],
        exception_handlers={404: not_found},
    )
    app.router.redirect_slashes = False
    app.state.world = world
    return app


def seed(world: World) -> None:
    """Put in what exists from the start: the activity that the platform's documentation reads, a finished claim."""
    if world.store.activity(WELL_KNOWN_ACTIVITY) is None:
        created = int(WELL_KNOWN_ACTIVITY[:8], 16)
        record = activities.open_record(world, "claims", created) | {"id": WELL_KNOWN_ACTIVITY}
        call = Call(world, created, world.settings.client_id, {}, {}, sample("claims")["well_known"], "", record=record)
        claims.submit_claim(call)
        record["polls"] = [created + stage.after for stage in QUEUED[1:]]
        world.store.add_activity(record)


def _own_routes(world: World) -> list[Route]:
    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ready"})

    async def state(_request: Request) -> Response:
        return JSONResponse(world.state())

    async def reset(_request: Request) -> Response:
        world.store.clear()
        world.counters.clear()
        world.callbacks.clear()
        seed(world)
        return JSONResponse(world.state())

    return [
        Route("/healthz", healthz),
        Route("/_sandbox/state", state),
        Route("/_sandbox/reset", reset, methods=["POST"]),
    ]


def _consent_page(world: World, contract: Contract) -> Route:
    flows = contract.document.get("components", {}).get("securitySchemes", {}).get("oauth2", {}).get("flows", {})
    page = authorization.ConsentPage(world, flows.get("authorizationCode", {}).get("scopes", {}))
    return Route(authorization.PATH, page.serve, methods=["GET", "POST"])


def _literal_first(path: str) -> list[bool]:
    """Return a sort key: at the first step where two paths differ in kind, a word goes before a parameter."""
    return [step.startswith("{") for step in path.split("/")]


class _MissingSlash:
    """A collection path without its final slash: redirected before anything else is looked at, as recorded."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        url = Request(scope).url
        response = self._wire.moved(str(url.replace(path=f"{url.path}/")))
        await mark(response, evidence="recorded", warnings=[])(scope, receive, send)


class _Resource:
    """One path of the contract with its operations."""

    def __init__(self, pipeline: Pipeline, operations: Mapping[str, Operation]) -> None:
        self._pipeline = pipeline
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        operation = self._operations.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            response = mark(self._without_operation(request.method), evidence="recorded", warnings=[])
        else:
            response = self._pipeline.respond(operation, request, await reading.receive(request))
        if request.method == "HEAD":
            response = Response(b"", response.status_code, response.headers)
        await response(scope, receive, send)

    def _without_operation(self, method: str) -> Response:
        allowed = [*(["HEAD"] if "GET" in self._operations else []), "OPTIONS", *self._operations]
        if method == "OPTIONS":
            return Response(b"", 200, {"allow": ", ".join(allowed), "content-type": "text/html; charset=utf-8"})
        return self._pipeline.wire.method_not_allowed(allowed)
