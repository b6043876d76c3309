"""One token for several processes: what is taken from a store, what is put there, and what happens when it fails."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from pokitdok_ext import FileStore, StoredToken, StoreError, TokenEvent, TokenPolicy
from pokitdok_ext._client_tokens import ClientTokens
from pokitdok_ext._grants import AuthorizationCode, ClientCredentials
from pokitdok_ext._manager import TokenManager
from pokitdok_ext._shared_managers import manager_for
from pokitdok_ext._sharing import SharedSource
from pokitdok_ext._sources import CallableSource
from pokitdok_ext._token_endpoint import TokenEndpoint
from pokitdok_ext._token_route import Route
from pokitdok_ext._tokens import Secret
from pokitdok_ext.testing.clock import HeldClock
from pokitdok_ext.testing.token_server import FakeTokenServer

ROOT = "https://api.pokitdok.test"
STALE = 3400.0
LIMIT = 10.0
SECRET = "secret"


class Fleet:
    """Managers as several processes have them: one store, one server, one held clock."""

    def __init__(self, folder: Path) -> None:
        self.held = HeldClock()
        self.server = FakeTokenServer()
        self.store = FileStore(folder / "tokens")
        self.events: list[TokenEvent] = []
        self._owners: list[ClientTokens] = []

    def source(self, *, secret: str = SECRET, scope: str = "") -> ClientCredentials:
        endpoint = TokenEndpoint(ROOT, "id", Secret(secret), route=Route(transport=self.server))
        return ClientCredentials(endpoint, scope)

    def member(self, source: ClientCredentials | AuthorizationCode | None = None, account: str = "") -> TokenManager:
        shared = SharedSource(source or self.source(), self.store, account, clock=self.held.clock())
        manager = TokenManager(shared, clock=self.held.clock())
        self._owners.append(ClientTokens(manager, self.events.append))
        return manager

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def value(manager: TokenManager) -> str:
    token = manager.get().value.reveal()
    flight = manager._flight
    if flight is not None:
        flight.wait(LIMIT)
    return token


def test_second_process_takes_the_token_of_the_first(fleet: Fleet) -> None:
    assert [value(fleet.member()) for _ in range(5)] == ["token-1"] * 5
    assert len(fleet.server.token_requests) == 1
    assert fleet.kinds == ["fetched", "shared", "shared", "shared", "shared"]


def test_state_tells_shared_tokens_from_fetched_ones(fleet: Fleet) -> None:
    one, other = fleet.member(), fleet.member()
    one.get(), other.get()
    assert (one.state().fetches, one.state().shared) == (1, 0)
    assert (other.state().fetches, other.state().shared) == (0, 1)


def test_token_keeps_its_age_in_another_process(fleet: Fleet) -> None:
    value(fleet.member())
    fleet.held.forward(1000)
    other = fleet.member()
    value(other)
    assert other.state().seconds_left == pytest.approx(3590 - 1000)


def test_stale_token_of_the_store_is_used_at_once_and_renewed_in_the_background(fleet: Fleet) -> None:
    value(fleet.member())
    fleet.held.forward(STALE)
    other = fleet.member()
    assert value(other) == "token-1"
    assert [value(other), value(other)] == ["token-1", "token-2"]
    assert len(fleet.server.token_requests) == 2


def test_renewal_takes_what_another_process_has_renewed(fleet: Fleet) -> None:
    one, other = fleet.member(), fleet.member()
    value(one), value(other)
    fleet.held.forward(STALE)
    value(one), value(other)
    assert (value(one), value(other)) == ("token-2", "token-2")
    assert len(fleet.server.token_requests) == 2


def test_expired_token_is_fetched_anew_by_one_process(fleet: Fleet) -> None:
    one, other = fleet.member(), fleet.member()
    value(one), value(other)
    fleet.held.forward(3600)
    assert (value(one), value(other)) == ("token-2", "token-2")


def test_refused_token_is_replaced_once_for_all_processes(fleet: Fleet) -> None:
    one, other = fleet.member(), fleet.member()
    one.get(), other.get()
    assert one.reject(one.get()) == "renew"
    assert value(one) == "token-2"
    assert other.reject(other.get()) == "renew"
    assert value(other) == "token-2", "the store had it already"
    assert len(fleet.server.token_requests) == 2


def test_invalidated_token_is_not_taken_from_the_store_again(fleet: Fleet) -> None:
    manager = fleet.member()
    manager.get()
    manager.invalidate()
    assert value(manager) == "token-2"


def test_wrong_secret_cannot_ride_on_a_stored_token(fleet: Fleet) -> None:
    value(fleet.member())
    impostor = fleet.member(fleet.source(secret="guess"))
    with pytest.raises(Exception, match="invalid_client"):
        impostor.get()


def test_scopes_and_accounts_have_tokens_of_their_own(fleet: Fleet) -> None:
    tokens = [
        value(fleet.member()),
        value(fleet.member(fleet.source(scope="user_schedule"))),
        value(fleet.member(account="second")),
        value(fleet.member(fleet.source(scope="user_schedule"))),
    ]
    assert tokens == ["token-1", "token-2", "token-3", "token-2"]


def test_token_without_an_end_is_kept_for_a_day(fleet: Fleet) -> None:
    source = SharedSource(CallableSource(lambda: "endless"), fleet.store, "me", clock=fleet.held.clock())
    manager = TokenManager(source, clock=fleet.held.clock())
    manager.get()
    other = SharedSource(CallableSource(lambda: "other"), fleet.store, "me", clock=fleet.held.clock())
    again = TokenManager(other, clock=fleet.held.clock())
    assert value(again) == "endless"
    assert again.state().seconds_left == 86_400 - 10
    assert manager.state().seconds_left == math.inf


def test_revoked_token_leaves_the_store(fleet: Fleet) -> None:
    manager = fleet.member()
    manager.get()
    manager.revoke()
    assert value(fleet.member()) == "token-2"
    assert fleet.server.api_requests == [("POST", "/oauth2/revoke")]


def test_rotated_refresh_token_serves_the_other_processes(fleet: Fleet) -> None:
    """The code is used once, each refresh token once, by whichever process comes first."""

    def source(code: str | None) -> AuthorizationCode:
        endpoint = TokenEndpoint(ROOT, "id", Secret("secret"), route=Route(transport=fleet.server))
        return AuthorizationCode(endpoint, code=None if code is None else Secret(code))

    def rotating(request: httpx.Request) -> httpx.Response:
        number = len(fleet.server.token_requests)
        fields = {"access_token": f"user-{number}", "expires_in": 3600, "refresh_token": f"refresh-{number}"}
        return httpx.Response(200, json=fields)

    fleet.server.then(*[rotating] * 3)
    one, other = fleet.member(source("c0de"), "nora"), fleet.member(source(None), "nora")
    assert (value(one), value(other)) == ("user-1", "user-1")
    fleet.held.forward(3600)
    assert (value(other), value(one)) == ("user-2", "user-2")
    fleet.held.forward(3600)
    assert value(one) == "user-3"
    sent = [form.get("code") or form.get("refresh_token") for form in fleet.server.token_requests]
    assert sent == ["c0de", "refresh-1", "refresh-2"]


def test_clients_with_one_store_and_key_share_a_manager_in_a_process(fleet: Fleet) -> None:
    one = manager_for(SharedSource(fleet.source(), fleet.store))
    same = manager_for(SharedSource(fleet.source(), fleet.store))
    alone = manager_for(fleet.source())
    other_policy = manager_for(SharedSource(fleet.source(), fleet.store), TokenPolicy(renew_ahead=60))
    assert one is same
    assert len({id(one), id(alone), id(other_policy)}) == 3


class Failing:
    """A store of which one method, or its lock, is out of order; counts what it is asked for."""

    def __init__(self, *broken: str) -> None:
        self.broken = broken
        self.asked: list[str] = []

    def _do(self, name: str) -> None:
        self.asked.append(name)
        if name in self.broken:
            raise StoreError(f"{name} is out of order; mend it")

    def load(self, key: str) -> StoredToken | None:
        self._do("load")
        return None

    def save(self, key: str, token: StoredToken) -> None:
        self._do("save")

    def delete(self, key: str, token: StoredToken) -> None:
        self._do("delete")

    @contextmanager
    def lock(self, key: str, limit: float) -> Iterator[bool]:
        self._do("lock")
        yield "busy" not in self.broken
        self._do("release")


@pytest.mark.parametrize(
    ("broken", "asked"),
    [
        pytest.param((), ["load", "lock", "load", "save", "release"], id="in order"),
        pytest.param(("load",), ["load"], id="not readable: left alone from then on"),
        pytest.param(("lock",), ["load", "lock"], id="no lock"),
        pytest.param(("save",), ["load", "lock", "load", "save", "release"], id="not writable"),
        pytest.param(("release",), ["load", "lock", "load", "save", "release"], id="lock not given back"),
        pytest.param(
            ("busy",), ["load", "lock", "load", "save", "release"], id="lock cannot be had: fetched without it"
        ),
    ],
)
def test_failing_store_never_costs_the_token(
    broken: tuple[str, ...], asked: list[str], fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    store = Failing(*broken)
    manager = TokenManager(SharedSource(fleet.source(), store))
    owner = ClientTokens(manager, fleet.events.append)
    with caplog.at_level(logging.WARNING):
        assert value(manager) == "token-1"
        manager.invalidate()
        assert value(manager) == "token-2"
    assert store.asked == asked * 2
    errors = [event.error for event in fleet.events if event.kind == "store_error"]
    failing = [name for name in broken if name != "busy"]
    assert errors == [f"{name} is out of order; mend it" for name in failing * 2]
    assert len(caplog.records) == len(failing), "one warning an outage"
    owner.close()


def test_fetch_that_fails_under_the_lock_gives_the_lock_back(fleet: Fleet) -> None:
    store = Failing()
    manager = TokenManager(SharedSource(fleet.source(secret="wrong"), store))
    with pytest.raises(Exception, match="invalid_client"):
        manager.get()
    assert store.asked[-1] == "release"
    assert "save" not in store.asked


class Held(Failing):
    """A store whose lock another process holds; that one puts a token there while we wait the third time."""

    def __init__(self, held: HeldClock, token: StoredToken | None) -> None:
        super().__init__()
        self._held = held
        self._token = token

    def load(self, key: str) -> StoredToken | None:
        self._do("load")
        return self._token if self.asked.count("lock") == 3 else None

    @contextmanager
    def lock(self, key: str, limit: float) -> Iterator[bool]:
        self._do("lock")
        self._held.forward(limit)
        yield False


def test_waiting_process_takes_the_token_as_soon_as_it_is_there(fleet: Fleet) -> None:
    """It need not get the lock for that."""
    source = fleet.source()
    key = SharedSource(source, fleet.store)._key
    token = StoredToken(Secret("theirs"), 3600, fleet.held.wall, source.secret_check(key))
    store = Held(fleet.held, token)
    manager = TokenManager(SharedSource(source, store, clock=fleet.held.clock()), clock=fleet.held.clock())
    assert value(manager) == "theirs"
    assert store.asked.count("lock") == 3
    assert fleet.server.token_requests == []


def test_lock_held_for_ever_costs_fifteen_seconds_and_one_token_request(fleet: Fleet) -> None:
    store = Held(fleet.held, None)
    manager = TokenManager(SharedSource(fleet.source(), store, clock=fleet.held.clock()), clock=fleet.held.clock())
    began = fleet.held.monotonic
    assert value(manager) == "token-1"
    assert fleet.held.monotonic - began == 15
