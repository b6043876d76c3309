"""Many requests in flight while activities advance: no error, no lost update. The long run is `nox -s soak`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import soak  # noqa: E402 - a script, found by the line above

pytestmark = pytest.mark.slow


def test_two_thousand_requests_with_fifty_in_flight_lose_nothing() -> None:
    command = [sys.executable, str(BENCHMARKS / "soak.py"), "--requests", "2000", "--in-flight", "50"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "2000 requests, 50 in flight" in run.stdout


@pytest.mark.parametrize(("state", "lost"), [("scheduled", True), ("canceled", False)])
async def test_the_run_sees_a_cancellation_that_was_lost(state: str, lost: bool) -> None:
    activity = {"id": "a", "state": {"name": state}, "history": [1, 2, 3]}
    sandbox = httpx.MockTransport(lambda _request: httpx.Response(200, json={"data": activity}))
    run = soak.Run(claims={"a": 2}, canceled={"a"})
    async with httpx.AsyncClient(transport=sandbox, base_url="http://sandbox.test") as client:
        await soak.settle(run, client, "a")

    assert bool(run.wrong) is lost


def test_the_run_sees_a_history_that_became_shorter() -> None:
    run = soak.Run(claims={"a": 3})
    soak.look(run, {"id": "a", "history": [1, 2]})

    assert run.wrong == ["a history became shorter"]
