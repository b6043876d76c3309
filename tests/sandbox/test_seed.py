"""The seed: the same calls get the same ids and tokens, at every start and after every reset."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox import Settings, create_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx
    from starlette.applications import Starlette

    from tests.sandbox.conftest import Clock


def sown(clock: Clock, **choices: Any) -> Starlette:
    return create_app(Settings(**choices), clock=clock)


async def made(api: httpx.AsyncClient) -> tuple[str, str, str]:
    """Return a token, the id of a person and the id of the activity that stored it."""
    answer = (await api.post("/api/v4/identity/", json={"last_name": "Moss"})).json()
    return api.headers["authorization"], answer["data"]["uuid"], answer["meta"]["activity_id"]


async def test_one_seed_gives_one_run_and_another_seed_another(clock: Clock, sign_in: Callable[..., Any]) -> None:
    runs = []
    for seed in (7, 7, 8):
        async with sign_in(sown(clock, seed=seed)) as api:
            runs.append(await made(api))

    assert runs[0] == runs[1]
    assert not set(runs[0]) & set(runs[2])


async def test_a_reset_begins_the_run_again(clock: Clock, sign_in: Callable[..., Any]) -> None:
    app = sown(clock, seed=7)
    runs = []
    for _ in range(2):
        async with sign_in(app) as api:
            runs.append(await made(api))
            await api.post("/_sandbox/reset")

    assert runs[0] == runs[1]


async def test_no_id_comes_twice_to_a_file_that_is_kept(
    clock: Clock, sign_in: Callable[..., Any], tmp_path: Path
) -> None:
    file = str(tmp_path / "state.sqlite")
    runs = []
    for _ in range(2):
        app = sown(clock, seed=7, db=file)
        async with sign_in(app) as api:
            runs.append(await made(api))
        app.state.world.store.close()

    assert not set(runs[0]) & set(runs[1])


async def test_without_a_seed_nothing_can_be_foreseen(clock: Clock, sign_in: Callable[..., Any]) -> None:
    app = sown(clock)
    async with sign_in(app) as one, sign_in(sown(clock)) as other:
        assert not set(await made(one)) & set(await made(other))

    assert type(app.state.world.random) is not Random
