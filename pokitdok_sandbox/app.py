"""The ASGI app: routes made from the contract, and the sandbox's own. The way of a request is in pipeline."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pokitdok_sandbox import (
    activities,
    app_registrations,
    appointments,
    authorization,
    batches,
    ccd,
    claim_status,
    claims,
    codes,
    control,
    conversions,
    drafts,
    eligibility,
    enrollment,
    examples,
    grants,
    hco,
    identity,
    identity_match,
    identity_proof,
    identity_proof_report,
    match_configs,
    oop_estimates,
    oop_prices,
    page,
    payers,
    payments,
    pharmacy,
    pharmacy_coverage,
    plans,
    prices,
    provider_registrations,
    providers,
    reading,
    schedulers,
    service_reviews,
    snapshots,
    trading_partners,
)
from pokitdok_sandbox.callbacks import Callbacks, post_by_http
from pokitdok_sandbox.calls import Handler
from pokitdok_sandbox.contract import Contract, ContractError, Operation, load_contract
from pokitdok_sandbox.faults import Faults
from pokitdok_sandbox.pipeline import Pipeline
from pokitdok_sandbox.seeding import seed
from pokitdok_sandbox.settings import Settings
from pokitdok_sandbox.store import Store
from pokitdok_sandbox.validation import validation_of
from pokitdok_sandbox.wire import Wire, http_date, mark
from pokitdok_sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pokitdok_sandbox.callbacks import Post

HANDLERS: Mapping[str, Handler] = {
    **grants.HANDLERS,
    **activities.HANDLERS,
    **eligibility.HANDLERS,
    **claims.HANDLERS,
    **claim_status.HANDLERS,
    **payments.HANDLERS,
    **conversions.HANDLERS,
    **drafts.HANDLERS,
    **service_reviews.HANDLERS,
    **enrollment.HANDLERS,
    **snapshots.HANDLERS,
    **batches.HANDLERS,
    **ccd.HANDLERS,
    **trading_partners.HANDLERS,
    **payers.HANDLERS,
    **plans.HANDLERS,
    **prices.HANDLERS,
    **codes.HANDLERS,
    **providers.HANDLERS,
    **pharmacy.HANDLERS,
    **pharmacy_coverage.HANDLERS,
    **identity.HANDLERS,
    **identity_match.HANDLERS,
    **match_configs.HANDLERS,
    **identity_proof.HANDLERS,
    **identity_proof_report.HANDLERS,
    **schedulers.HANDLERS,
    **appointments.HANDLERS,
    **oop_prices.HANDLERS,
    **oop_estimates.HANDLERS,
    **app_registrations.HANDLERS,
    **provider_registrations.HANDLERS,
    **hco.HANDLERS,
}

WRITTEN_BOTH_WAYS = ("/api/v4/appregistrations", "/api/v4/pharmacy/network")
"""Paths that the documentation writes with a final slash in one place and without it in another."""


def create_app(
    settings: Settings | None = None,
    *,
    clock: Callable[[], float] = time.time,
    random: Random | None = None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    contract: Contract | None = None,
    handlers: Mapping[str, Handler] = HANDLERS,
    post: Post = post_by_http,
) -> Starlette:
    """Build a sandbox for in-process use, for instance with ``httpx.ASGITransport``; ``app.state.world`` is its inside.

    Args:
        settings: The choices; the defaults when left out.
        clock: Unix time in seconds; a test passes one that it moves itself.
        random: Source of ids and tokens; the operating system's when left out.
        sleep: Waits so many seconds, for answers that are ordered to be late.
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
    random = random or (SystemRandom() if settings.seed is None else Random())  # noqa: S311 - a seed is chosen to be foreseen
    store = Store(settings.db)
    callbacks = Callbacks(store, settings.pace, clock, post)
    world = World(settings, store, clock, random, callbacks, Faults(random, ids), served, sleep=sleep)
    seed(world)

    by_path: dict[str, dict[str, Operation]] = defaultdict(dict)
    for operation in contract.operations:
        by_path[operation.path][operation.method] = operation
    wire = Wire(settings.modern)
    pipeline = Pipeline(world, wire, validation_of(contract), handlers)
    resources: dict[str, _MissingSlash | _Resource] = {
        path[:-1]: _MissingSlash(wire) for path in by_path if path.endswith("/")
    }
    resources |= {path: _Resource(pipeline, by_path[path]) for path in by_path}
    resources |= {f"{path}/": resources[path] for path in WRITTEN_BOTH_WAYS if path in resources}
    routes = [Route(path, resources[path]) for path in sorted(resources, key=_literal_first)]

    async def not_found(_request: Request, _error: Exception) -> Response:
        return mark(wire.not_found(), evidence="inferred", warnings=[])

    app = Starlette(
        routes=[*page.routes(world, contract), *control.routes(world, seed), _consent_page(world, contract), *routes],
        exception_handlers={404: not_found},
        middleware=[Middleware(_Dated, clock)],
    )
    app.router.redirect_slashes = False
    app.state.world = world
    return app


def _consent_page(world: World, contract: Contract) -> Route:
    flows = contract.document.get("components", {}).get("securitySchemes", {}).get("oauth2", {}).get("flows", {})
    consent = authorization.ConsentPage(world, flows.get("authorizationCode", {}).get("scopes", {}))
    return Route(authorization.PATH, consent.serve, methods=["GET", "POST"])


def _literal_first(path: str) -> list[bool]:
    """Return a sort key: at the first step where two paths differ in kind, a word goes before a parameter."""
    return [step.startswith("{") for step in path.split("/")]


def _head_only(send: Send) -> Send:
    async def without_body(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return without_body


class _Dated:
    """Adds the Date header, by the clock of the sandbox, to answers that have none."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float]) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("date", http_date(self._clock()))
            await send(message)

        await self._app(scope, receive, dated)


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
        answer: ASGIApp
        if operation is None:
            answer = mark(self._without_operation(request.method), evidence="recorded", warnings=[])
        else:
            answer = self._pipeline.respond(operation, request, await reading.receive(request))
        if request.method == "HEAD":
            send = _head_only(send)
        await answer(scope, receive, send)

    def _without_operation(self, method: str) -> Response:
        allowed = [*(["HEAD"] if "GET" in self._operations else []), "OPTIONS", *self._operations]
        if method == "OPTIONS":
            return Response(b"", 200, {"allow": ", ".join(allowed), "content-type": "text/html; charset=utf-8"})
        return self._pipeline.wire.method_not_allowed(allowed)
