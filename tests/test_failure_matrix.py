"""The failure matrix of the token lifecycle: what happens, with a good token, or without one → what callers see.

A row observes three things: what a caller gets, how many token requests that cost, and after how many seconds the token
endpoint is asked again. Time stands still except where a row moves it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import ssl
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from pokitdok_api._operations import GET_ACTIVITY
from pokitdok_ext import (
    ClientClosedError,
    FileStore,
    InvalidClientError,
    PermanentTokenError,
    TokenEndpointMovedError,
    TokenForbiddenError,
    TokenPolicy,
    TokenRefusedError,
    TokenResponseError,
    TokenThrottledError,
    TokenUnavailableError,
)
from pokitdok_ext._auth import TokenAuth
from pokitdok_ext._client_tokens import ClientTokens
from pokitdok_ext._grants import ClientCredentials
from pokitdok_ext._manager import TokenManager
from pokitdok_ext._sharing import SharedSource
from pokitdok_ext._sources import CallableSource, StaticToken, TokenSource
from pokitdok_ext._token_endpoint import TokenEndpoint
from pokitdok_ext._token_route import Route
from pokitdok_ext._tokens import DEFAULT_POLICY, Secret
from pokitdok_ext.testing.clock import HeldClock
from pokitdok_ext.testing.token_server import Answer, FakeTokenServer

ROOT = "https://api.pokitdok.test"
STALE = 3400.0
"""Seconds after which an hour's token is renewed in the background and still good."""
LIMIT = 10.0
"""Seconds after which a test that waits for another thread gives up."""
NEVER = float("inf")


@dataclass
class Stage:
    """One manager on one fake token server, in held time."""

    folder: Path
    held: HeldClock = field(default_factory=HeldClock)
    server: FakeTokenServer = field(default_factory=FakeTokenServer)
    source: TokenSource | None = None
    policy: TokenPolicy = DEFAULT_POLICY

    def __post_init__(self) -> None:
        endpoint = TokenEndpoint(ROOT, "id", Secret("secret"), route=Route(transport=self.server))
        self.credentials = ClientCredentials(endpoint)
        self.use(self.source or self.credentials)

    def use(self, source: TokenSource, policy: TokenPolicy = DEFAULT_POLICY) -> None:
        self.manager = TokenManager(source, policy=policy, clock=self.held.clock())
        self.tokens = ClientTokens(self.manager)
        auth = TokenAuth(self.tokens, [ROOT], policy)
        self.api = httpx.Client(base_url=ROOT, auth=auth, transport=self.server)

    @property
    def calls(self) -> int:
        return len(self.server.token_requests)

    def ask(self) -> str:
        """What a caller gets: a token, or the name of an error. Waits for a renewal that it set off."""
        try:
            token = self.manager.get().value.reveal()
        except Exception as error:  # noqa: BLE001 - the row says which one it expects
            return type(error).__name__
        flight = self.manager._flight
        if flight is not None:
            flight.wait(LIMIT)
        return token

    def request(self, **options: Any) -> str:
        """What a request to the API gives: its status, or the name of an error."""
        options.setdefault("extensions", {"pokitdok.operation": GET_ACTIVITY})
        try:
            return str(self.api.request("GET", "/x", **options).status_code)
        except Exception as error:  # noqa: BLE001 - the row says which one it expects
            return type(error).__name__

    def next_call(self, limit: float = 4000) -> float:
        """Seconds until a request makes the next token call, found by asking four times a second."""
        before, passed = self.calls, 0.0
        while self.calls == before:
            self.ask()
            if self.calls == before:
                self.held.forward(0.25)
                passed += 0.25
            if passed > limit:
                return NEVER
        return passed


Seen = tuple[str, int, float]
"""What a caller got, token requests it cost, seconds until the next one."""


def without_a_token(*answers: Answer) -> Callable[[Stage], Seen]:
    def observe(stage: Stage) -> Seen:
        stage.server.then(*answers * 3)
        outcome = stage.ask()
        calls = stage.calls
        assert stage.ask() == outcome or outcome.startswith("token"), "the error is remembered"
        assert stage.calls == calls, "nothing is sent meanwhile"
        return outcome, calls, stage.next_call()

    return observe


def with_a_good_token(*answers: Answer) -> Callable[[Stage], Seen]:
    def observe(stage: Stage) -> Seen:
        stage.ask()
        stage.held.forward(STALE)
        stage.server.then(*answers * 2)
        outcome = stage.ask()
        calls = stage.calls - 1
        return outcome, calls, stage.next_call(180)

    return observe


def answers(status: int, body: object = None, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, dict):
        return httpx.Response(status, json=body, headers=names)
    return httpx.Response(status, text=str(body or ""), headers={"content-type": "text/html", **names})


def issues(**changes: object) -> httpx.Response:
    """A token answer with changes; None leaves a field out."""
    body = {"access_token": "given", "token_type": "bearer", "expires_in": 3600, **changes}
    return httpx.Response(200, content=json.dumps({name: value for name, value in body.items() if value is not None}))


def bad_certificate(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("certificate verify failed") from ssl.SSLCertVerificationError()


PERMANENT = {
    "invalid_client": answers(400, {"error": "invalid_client"}),
    "invalid_client with 401": answers(401, {"error": "invalid_client"}),
    "unauthorized_client": answers(400, {"error": "unauthorized_client"}),
    "invalid_scope": answers(400, {"error": "invalid_scope"}),
}
DOWN = {
    "400 with HTML": answers(400, "<p>no</p>"),
    "400 without an OAuth error": answers(400, {"detail": "no"}),
    "408": answers(408),
    "500": answers(500),
    "503 with HTML": answers(503, "<p>no</p>"),
    "timeout": httpx.ReadTimeout("late"),
    "name not found": httpx.ConnectError("[Errno -2] Name or service not known"),
    "connection refused": httpx.ConnectError("[Errno 111] Connection refused"),
    "connection reset": httpx.ReadError("reset"),
    "TLS handshake failed": httpx.ConnectError("[SSL] handshake failure"),
}
UNUSABLE = {
    "truncated JSON": answers(200, '{"access_token": "gi'),
    "not an object": answers(200, '["given"]'),
    "200 with error": answers(200, {"error": "invalid_client"}),
    "no token": issues(access_token=None),
    "empty token": issues(access_token=""),
    "token that is no text": issues(access_token=7),
    "token with a control character": issues(access_token="gi\nven"),
    "another token type": issues(token_type="mac"),
}


def rows_of_the_endpoint() -> list[Any]:
    rows: list[tuple[str, Callable[[Stage], Seen], Seen]] = []
    for name, answer in PERMANENT.items():
        rows += [(f"{name}, good token", with_a_good_token(answer), ("token-1", 1, 60))]
        rows += [(f"{name}, none", without_a_token(answer), (InvalidClientError.__name__, 1, 30))]
    for name, broken in DOWN.items():
        rows += [(f"{name}, good token", with_a_good_token(broken), ("token-1", 1, 0.5))]
        rows += [(f"{name}, none", without_a_token(broken), (TokenUnavailableError.__name__, 3, 1))]
    for name, answer in UNUSABLE.items():
        rows += [(f"{name}, good token", with_a_good_token(answer), ("token-1", 1, 0.5))]
        rows += [(f"{name}, none", without_a_token(answer), (TokenResponseError.__name__, 3, 1))]
    rows += [
        ("403, good token", with_a_good_token(answers(403)), ("token-1", 1, 60)),
        ("403, none", without_a_token(answers(403)), (TokenForbiddenError.__name__, 1, 60)),
        ("429, good token", with_a_good_token(answers(429)), ("token-1", 1, 0.5)),
        ("429 for 40 s, good token", with_a_good_token(answers(429, retry_after="40")), ("token-1", 1, 40)),
        ("429, none", without_a_token(answers(429)), (TokenThrottledError.__name__, 2, 1)),
        ("429 for 40 s, none", without_a_token(answers(429, retry_after="40")), ("TokenThrottledError", 1, 40)),
        ("429 for a day, none", without_a_token(answers(429, retry_after="86400")), ("TokenThrottledError", 1, 3600)),
        ("bad certificate, good token", with_a_good_token(bad_certificate), ("token-1", 1, 0.5)),
        ("bad certificate, none", without_a_token(bad_certificate), (TokenUnavailableError.__name__, 1, 1)),
        ("redirect, good token", with_a_good_token(answers(302, location="https://x.test")), ("token-1", 1, 60)),
        ("redirect, none", without_a_token(answers(302)), (TokenEndpointMovedError.__name__, 1, 30)),
        (
            "redirect nowhere, none",
            without_a_token(answers(302, location="http://[::x")),
            (TokenEndpointMovedError.__name__, 1, 30),
        ),
        ("no endpoint there, none", without_a_token(answers(404)), (TokenEndpointMovedError.__name__, 1, 30)),
    ]
    return rows


def life_of(answer: httpx.Response) -> Callable[[Stage], Seen]:
    """The token it gives, and when it is asked for again: at the end of its fresh time."""

    def observe(stage: Stage) -> Seen:
        stage.server.then(answer)
        outcome = stage.ask()
        return outcome, stage.calls, stage.next_call(90_000)

    return observe


def jwt(**claims: object) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{middle}.c2ln"


DATED = {"date": "Fri, 15 Jan 2027 08:00:00 GMT"}
LATER = 1_800_000_000 + 600
"""Ten minutes after that, in Unix seconds."""
TEN_MINUTES = jwt(iat=0, exp=600)


def dated(answer: httpx.Response) -> httpx.Response:
    answer.headers.update(DATED)
    return answer


ROWS_OF_LIFE: list[tuple[str, Callable[[Stage], Seen], Seen]] = [
    ("expires_in missing, expires and Date", life_of(dated(issues(expires_in=None, expires=LATER))), ("given", 1, 300)),
    ("expires_in missing, JWT", life_of(issues(access_token=TEN_MINUTES, expires_in=None)), (TEN_MINUTES, 1, 300)),
    ("expires_in missing, nothing else", life_of(issues(expires_in=None)), ("given", 1, 150)),
    ("expires_in as text", life_of(issues(expires_in="3600")), ("given", 1, 3300)),
    ("expires_in no number", life_of(issues(expires_in="soon")), ("given", 1, 150)),
    ("expires_in true", life_of(issues(expires_in=True)), ("given", 1, 150)),
    ("expires_in NaN", life_of(issues(expires_in=float("nan"))), ("given", 1, 150)),
    ("expires_in 0", life_of(issues(expires_in=0)), ("given", 1, 1)),
    ("expires_in negative", life_of(issues(expires_in=-5)), ("given", 1, 1)),
    ("expires_in over a day", life_of(issues(expires_in=10**9)), ("given", 1, 86_400 - 300)),
    ("expires_in shorter than any lead", life_of(issues(expires_in=1)), ("given", 1, 0.5)),
    ("expires earlier than expires_in", life_of(dated(issues(expires=LATER))), ("given", 1, 300)),
]  # fmt: skip


def throttled_for_a_moment(stage: Stage) -> Seen:
    stage.server.then(answers(429, retry_after="5"))
    outcome = stage.ask()
    assert stage.held.slept == [5]
    return outcome, stage.calls, stage.next_call()


def rotated_secret(stage: Stage) -> Seen:
    """The provider of the secret has another one by the time that the first is refused."""
    secrets = iter(["old", "secret"])
    endpoint = TokenEndpoint(ROOT, "id", lambda: next(secrets, "secret"), route=Route(transport=stage.server))
    stage.use(ClientCredentials(endpoint))
    return stage.ask(), stage.calls, stage.next_call()


def secret_rotated_later(stage: Stage) -> Seen:
    """Refused and remembered; the next call after the rotation works at once, without another wrong request."""
    secret = ["old"]
    endpoint = TokenEndpoint(ROOT, "id", lambda: secret[0], route=Route(transport=stage.server))
    stage.use(ClientCredentials(endpoint))
    assert {stage.ask() for _ in range(100)} == {InvalidClientError.__name__}
    assert stage.calls == 1
    secret[0] = "secret"
    return stage.ask(), stage.calls, stage.next_call()


def special_characters(stage: Stage) -> Seen:
    """A server that takes the Basic header raw only: the other form is tried once, and remembered."""
    stage.server.client_secret = "a+b"
    endpoint = TokenEndpoint(ROOT, "id", Secret("a+b"), route=Route(transport=stage.server))
    stage.server._knows = lambda headers, _: headers["Authorization"] == "Basic " + base64.b64encode(b"id:a+b").decode()  # type: ignore[method-assign]
    stage.use(ClientCredentials(endpoint))
    first = stage.ask()
    calls = stage.calls
    stage.tokens.invalidate()
    stage.ask()
    assert stage.calls == calls + 1
    return first, calls, 0


def same_token_again(stage: Stage) -> Seen:
    """A renewal that ends no later: the old token is kept, the endpoint left alone for half of what is left."""
    stage.ask()
    stage.held.forward(STALE)
    stage.server.then(issues(access_token="token-1", expires_in=200))
    outcome = stage.ask()
    return outcome, stage.calls - 1, stage.next_call()


def wall_clock(jump: float) -> Callable[[Stage], Seen]:
    def observe(stage: Stage) -> Seen:
        stage.ask()
        stage.held.wall += jump
        outcome = [stage.ask() for _ in range(3)][-1]
        return outcome, stage.calls, stage.next_call()

    return observe


def clock_that_differs_from_the_servers(stage: Stage) -> Seen:
    """No effect on the token; one warning, and the text of a 401 says so."""
    far = issues(access_token="token-2")
    far.headers["date"] = "Fri, 15 Jan 2100 08:00:00 GMT"
    stage.server.then(far)
    outcome = stage.ask()
    stage.server._api = lambda _: httpx.Response(401)
    stage.server.then(far)
    with pytest.raises(TokenRefusedError, match=r"clock and the server's are \d+ s apart"):
        stage.api.get("/x", extensions={"pokitdok.operation": GET_ACTIVITY})
    return outcome, 1, 0


def revoked_token(stage: Stage) -> Seen:
    stage.ask()
    stage.held.forward(120)
    stage.server.revoke()
    return stage.request(), stage.calls - 1, stage.next_call()


def revoked_twice_within_a_minute(stage: Stage) -> Seen:
    stage.ask()
    stage.held.forward(120)
    stage.server.revoke()
    assert stage.request() == "200"
    before = stage.calls
    stage.held.forward(59)
    stage.server.revoke()
    return stage.request(), stage.calls - before, 0


def every_token_refused(stage: Stage) -> Seen:
    stage.server._api = lambda _: httpx.Response(401)
    outcomes = {stage.request() for _ in range(100)}
    assert len(stage.server.api_requests) == 101
    return outcomes.pop(), stage.calls, 0


def cancelled_task(leads: bool) -> Callable[[Stage], Seen]:
    def observe(stage: Stage) -> Seen:
        gate = threading.Event()

        def slow(_request: httpx.Request) -> httpx.Response:
            assert gate.wait(LIMIT)
            return issues()

        stage.server.then(slow)

        async def main() -> str:
            tasks = [asyncio.create_task(stage.manager.aget()) for _ in range(3)]
            await asyncio.sleep(0)
            tasks[0 if leads else 1].cancel()
            await asyncio.sleep(0)
            gate.set()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            return " ".join("cancelled" if isinstance(each, BaseException) else each.value.reveal() for each in done)

        return asyncio.run(main()), stage.calls, 0

    return observe


def loop_closed_in_flight(stage: Stage) -> Seen:
    gate, entered = threading.Event(), threading.Event()

    def slow(_request: httpx.Request) -> httpx.Response:
        entered.set()
        assert gate.wait(LIMIT)
        return issues()

    stage.server.then(slow)

    async def leave_early() -> None:
        asyncio.create_task(stage.manager.aget())  # noqa: RUF006 - it is to be left behind
        await asyncio.to_thread(entered.wait, LIMIT)

    async def join() -> str:
        task = asyncio.create_task(stage.manager.aget())
        await asyncio.sleep(0)
        gate.set()
        return (await task).value.reveal()

    asyncio.run(leave_early())
    return asyncio.run(join()), stage.calls, 0


def in_a_child(work: Callable[[], str]) -> str:
    """What *work* gives in the child of a fork."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of threads; they are the point here
        child = os.fork()
    if child == 0:
        try:
            os.write(writer, work().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


def fork_in_flight(good: bool) -> Callable[[Stage], Seen]:
    """Parent and child both get on; the child has the token, or fetches its own."""

    def observe(stage: Stage) -> Seen:
        gate, entered = threading.Event(), threading.Event()
        parent = os.getpid()

        def slow(_request: httpx.Request) -> httpx.Response:
            if os.getpid() == parent:
                entered.set()
                assert gate.wait(LIMIT)
            return issues(access_token="parent" if os.getpid() == parent else "child")

        if good:
            stage.ask()
            stage.held.forward(STALE)
        stage.server.then(slow, slow)
        leader = threading.Thread(target=stage.manager.get)
        leader.start()
        assert entered.wait(LIMIT)
        child = in_a_child(stage.ask)
        gate.set()
        leader.join(LIMIT)
        flight = stage.manager._flight
        if flight is not None:
            flight.wait(LIMIT)
        return f"child {child}, parent {stage.ask()}", stage.calls - good, 0

    return observe


def client_closed(stage: Stage) -> Seen:
    stage.ask()
    stage.tokens.close()
    return stage.request(), stage.calls, 0


def refused_static_token(stage: Stage) -> Seen:
    stage.use(StaticToken("mine"))
    outcomes = {stage.request() for _ in range(3)}
    return outcomes.pop(), stage.calls, 0


def callable_gives(provider: Callable[[], Any]) -> Callable[[Stage], Seen]:
    """The provider's calls take the place of token requests."""

    def observe(stage: Stage) -> Seen:
        def counted() -> Any:
            stage.server.token_requests.append({})
            return provider()

        stage.use(CallableSource(counted))
        outcome = stage.ask()
        calls = stage.calls
        return outcome, calls, stage.next_call(100)

    return observe


def fails(error: Exception) -> Callable[[], Any]:
    def provider() -> Any:
        raise error

    return provider


async def never_awaited() -> str:
    return "x"


def spoilt_store(spoil: Callable[[Path], None]) -> Callable[[Stage], Seen]:
    """The store is left out: the token comes, is kept in memory, and one warning says so."""

    def observe(stage: Stage) -> Seen:
        folder = stage.folder / "tokens"
        store = FileStore(folder)
        stage.use(SharedSource(stage.credentials, store, clock=stage.held.clock()))
        stage.ask()
        spoil(folder)
        stage.use(SharedSource(stage.credentials, store, clock=stage.held.clock()))
        outcome = [stage.ask() for _ in range(3)][-1]
        return outcome, stage.calls - 1, 0

    return observe


def each_file(change: Callable[[Path], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for file in folder.iterdir():
            if file.suffix != ".lock":
                change(file)

    return spoil


ROWS_OF_CALLERS: list[tuple[str, Callable[[Stage], Seen], Seen]] = [
    ("429 for 5 s, none: waited for and asked once more", throttled_for_a_moment, ("token-2", 2, 3300)),
    ("secret rotated while it is refused", rotated_secret, ("token-2", 2, 3300)),
    ("secret rotated after it was refused", secret_rotated_later, ("token-2", 2, 3300)),
    ("Basic header taken raw only", special_characters, ("token-2", 2, 0)),
    ("renewal gives a token that ends no later", same_token_again, ("token-1", 1, 100)),
    ("wall clock a day back", wall_clock(-86_400), ("token-1", 1, 3300)),
    ("wall clock a day ahead, or wake from sleep", wall_clock(86_400), ("token-2", 2, 3300)),
    ("clock differs from the server's", clock_that_differs_from_the_servers, ("token-2", 1, 0)),
    ("API 401, token two minutes old", revoked_token, ("200", 1, 3300)),
    ("API 401, token just forced", revoked_twice_within_a_minute, (TokenRefusedError.__name__, 0, 0)),
    ("API refuses every token", every_token_refused, (TokenRefusedError.__name__, 2, 0)),
    ("task cancelled while it leads", cancelled_task(leads=True), ("cancelled given given", 1, 0)),
    ("task cancelled while it waits", cancelled_task(leads=False), ("given cancelled given", 1, 0)),
    ("loop closed in flight", loop_closed_in_flight, ("given", 1, 0)),
    ("fork in flight, good token", fork_in_flight(good=True), ("child token-1, parent parent", 1, 0)),
    ("fork in flight, none", fork_in_flight(good=False), ("child child, parent parent", 1, 0)),
    ("client closed", client_closed, (ClientClosedError.__name__, 1, 0)),
    ("static token refused", refused_static_token, (TokenRefusedError.__name__, 0, 0)),
    ("callable raises", callable_gives(fails(KeyError("x"))), (TokenUnavailableError.__name__, 3, 1)),
    ("callable says never", callable_gives(fails(PermanentTokenError("x"))), (PermanentTokenError.__name__, 1, 30)),
    ("callable gives a text", callable_gives(lambda: "plain"), ("plain", 1, NEVER)),
    ("callable gives an OAuth answer", callable_gives(lambda: {"access_token": "a", "expires_in": 60}), ("a", 1, 30)),
    ("plain callable gives a coroutine", callable_gives(never_awaited), (TypeError.__name__, 1, 1)),
    ("store corrupt", spoilt_store(each_file(lambda file: file.write_text("{"))), ("token-2", 1, 0)),
    ("store readable by others", spoilt_store(each_file(lambda file: file.chmod(0o644))), ("token-2", 1, 0)),
    ("store folder open to others", spoilt_store(lambda folder: folder.chmod(0o777)), ("token-2", 1, 0)),
]  # fmt: skip

WARNS = {"clock differs from the server's", "store corrupt", "store readable by others", "store folder open to others"}
"""Rows of callers that warn; exactly once."""

ROWS = [*rows_of_the_endpoint(), *ROWS_OF_LIFE, *ROWS_OF_CALLERS]


@pytest.mark.parametrize(("name", "observe", "expected"), [pytest.param(*row, id=row[0]) for row in ROWS])
def test_row_of_the_failure_matrix(
    name: str,
    observe: Callable[[Stage], Seen],
    expected: Seen,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "pokitdok")
    assert observe(Stage(tmp_path)) == expected
    warned = [record.getMessage() for record in caplog.records if record.name.startswith("pokitdok")]
    if name in WARNS:
        assert len(warned) == 1, warned


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({name for name, *_ in ROWS}) == len(ROWS) >= 80
