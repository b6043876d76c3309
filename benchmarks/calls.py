"""What a call costs, alone and in bulk, beside the old official client and beside the bare transport.

All clients talk to one bare server on this machine, which answers everything with the same eligibility answer of the
sandbox. Rounds are interleaved: each ratio is of two neighbours in time. Run it alone, or by `nox -s bench`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx

from pokitdok_api import Client
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.models import EligibilityEnvelope, EligibilityMember, EligibilityRequest, EligibilityRequestProvider
from pokitdok_ext import connect
from pokitdok_ext.bulk import arun
from pokitdok_ext.fast import FastTransport
from pokitdok_sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[1]
OLD_LOCK = ROOT / "tests" / "sandbox" / "old-client.lock"
OLD_CLIENT = ROOT / ".cache" / "old-client"
ROUNDS = 15
CALLS = 200
IN_FLIGHT = (50, 200)
SIZE = 20_000
"""Bytes of the answer at least: that of a large one. The lists of the sandbox's answer are repeated up to it."""
PATH = "/api/v4/eligibility/"

MEMBER = EligibilityMember(first_name="Nora", last_name="Quill", id="W000777001")
QUESTION = EligibilityRequest(
    trading_partner_id="MOCKPAYER", member=MEMBER, provider=EligibilityRequestProvider(npi="1234567893")
)

SERVER = """
import json, socket, sys, uvicorn
answer = sys.stdin.buffer.read()
token = json.dumps({"access_token": "t" * 40, "token_type": "bearer", "expires_in": 3600}).encode()
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    body = token if scope["path"] == "/oauth2/token" else answer
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
listener.listen(2048)
print(listener.getsockname()[1], flush=True)
config = uvicorn.Config(app, log_level="error", lifespan="off", access_log=False, backlog=2048)
uvicorn.Server(config).run([listener])
"""

OLD = """
import os, sys, time
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
from pokitdok.api.client import PokitDokClient
client = PokitDokClient("id", "secret", base=sys.argv[1])
member = {"first_name": "Nora", "last_name": "Quill", "id": "W000777001"}
question = {"trading_partner_id": "MOCKPAYER", "member": member, "provider": {"npi": "1234567893"}}
for line in sys.stdin:
    start = time.perf_counter()
    for _ in range(int(line)):
        client.eligibility(question)
    print(time.perf_counter() - start, flush=True)
"""

Timed = Callable[[], float]


def main() -> None:
    """Print the rows."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--calls", type=int, default=CALLS)
    chosen = options.parse_args()
    answer = json.dumps(sandbox_answer()).encode()
    print(f"eligibility answer of {len(answer)} bytes, {chosen.calls} calls a round, {chosen.rounds} rounds")
    print(f"{'what':<74}{'x':>6}   quartiles")
    with served(answer) as url, old_client(url, chosen.calls) as old, asyncio.Runner() as runner:
        client = connect("id", "secret", base_url=url, async_transport=FastTransport())
        bare = httpx.AsyncClient(transport=FastTransport(), headers=HEADERS)
        subjects: dict[str, Timed] = {
            "old": old,
            "typed": timed(lambda: typed_calls(client, chosen.calls)),
            "bare": timed(lambda: bare_calls(url, chosen.calls)),
        }
        for number in IN_FLIGHT:
            subjects[f"typed {number}"] = timed(lambda n=number: runner.run(typed_bulk(client, chosen.calls * 2, n)))
            for kept in (True, False):
                subjects[f"bare {number} {kept}"] = timed(
                    lambda n=number, k=kept: runner.run(bare_bulk(bare, url, chosen.calls * 2, n, keep=k))
                )
        times = interleaved(subjects, chosen.rounds)
        for name in times:
            if " " in name:  # bulk rounds have twice the calls, to fill 200 in flight
                times[name] = [seconds / 2 for seconds in times[name]]
        row("calls a second, one typed call at a time / old client", times["old"], times["typed"])
        row("time, one typed call / same transport, JSON and reading", times["typed"], times["bare"])
        for number in IN_FLIGHT:
            typed = times[f"typed {number}"]
            row(f"calls a second, typed in bulk, {number} in flight / old client", times["old"], typed)
            row(
                f"time of it / same transport, JSON and reading, in order, {number} in flight",
                typed,
                times[f"bare {number} True"],
            )
            row(
                f"time of it / the same with each answer dropped, {number} in flight",
                typed,
                times[f"bare {number} False"],
            )
        first, second = (f"typed {number}" for number in IN_FLIGHT)
        row(f"calls a second, {IN_FLIGHT[1]} in flight / {IN_FLIGHT[0]} in flight", times[first], times[second])
        runner.run(close(client, bare))
    for number in (10, *IN_FLIGHT):
        compare_pools(answer, number, chosen.rounds)


HEADERS = {"Authorization": "Bearer " + "t" * 40, "Content-Type": "application/json", "User-Agent": "bare"}


def typed_calls(client: Client, number: int) -> None:
    for _ in range(number):
        check_eligibility.sync(client=client, body=QUESTION)


_bare: list[httpx.Client] = []


def bare_calls(url: str, number: int) -> None:
    if not _bare:
        _bare.append(httpx.Client(headers=HEADERS))
    content = json.dumps(QUESTION.to_dict(), separators=(",", ":")).encode()
    for _ in range(number):
        EligibilityEnvelope.from_dict(json.loads(_bare[0].post(url + PATH, content=content).content))


async def typed_bulk(client: Client, number: int, in_flight: int) -> None:
    async def ask(_number: int) -> EligibilityEnvelope:
        return await check_eligibility.asyncio(client=client, body=QUESTION)

    async for outcome in arun(ask, range(number), in_flight=in_flight):
        outcome.result()


async def bare_bulk(client: httpx.AsyncClient, url: str, number: int, in_flight: int, *, keep: bool) -> None:
    """The same questions without us; *keep*: give the answers in order, as `asyncio.gather` would, else drop each."""
    content = json.dumps(QUESTION.to_dict(), separators=(",", ":")).encode()
    left = iter(range(number))
    answers: dict[int, EligibilityEnvelope] = {}

    async def work() -> None:
        for place in left:
            answer = EligibilityEnvelope.from_dict(json.loads((await client.post(url + PATH, content=content)).content))
            if keep:
                answers[place] = answer

    await asyncio.gather(*(work() for _ in range(in_flight)))


def compare_pools(answer: bytes, in_flight: int, rounds: int) -> None:
    """The same bulk through httpx's own pool and through the fast one: why there are two."""
    with served(answer) as url, asyncio.Runner() as runner:
        fast = httpx.AsyncClient(transport=FastTransport(), headers=HEADERS)
        stock = httpx.AsyncClient(headers=HEADERS)
        subjects = {
            "fast": timed(lambda: runner.run(bare_bulk(fast, url, 200, in_flight, keep=False))),
            "stock": timed(lambda: runner.run(bare_bulk(stock, url, 200, in_flight, keep=False))),
        }
        times = interleaved(subjects, max(3, rounds // 3))
        row(f"calls a second, FastTransport / httpx's own pool, {in_flight} in flight", times["stock"], times["fast"])
        runner.run(fast.aclose())
        runner.run(stock.aclose())


async def close(client: Client, bare: httpx.AsyncClient) -> None:
    await bare.aclose()
    await client.aclose()


def interleaved(subjects: dict[str, Timed], rounds: int) -> dict[str, list[float]]:
    """Seconds of each subject in each round; one more round first, to warm up."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds + 1):
        for name, measure in subjects.items():
            seconds = measure()
            if number:
                times[name].append(seconds)
    return times


def row(name: str, over: list[float], under: list[float]) -> None:
    low, middle, high = statistics.quantiles([one / other for one, other in zip(over, under, strict=True)], n=4)
    print(f"{name:<74}{middle:>6.2f}   {low:.2f} to {high:.2f}", flush=True)


def timed(function: Callable[[], Any]) -> Timed:
    def measure() -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return measure


def sandbox_answer() -> dict[str, Any]:
    with Sandbox() as sandbox, connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url) as client:
        answer: dict[str, Any] = json.loads(check_eligibility.sync_detailed(client=client, body=QUESTION).content)
    for name in ("rate_limit_cap", "rate_limit_amount", "rate_limit_reset"):
        answer["meta"].pop(name, None)  # this server limits nobody
    answer["meta"]["rate_limit_cap"] = 100_000_000  # as recorded for an application without a limit
    coverage, whole = answer["data"]["coverage"], dict(answer["data"]["coverage"])
    while len(json.dumps(answer)) < SIZE:
        for name, value in whole.items():
            if isinstance(value, list):
                coverage[name] = coverage[name] + value
    return answer


@contextmanager
def served(answer: bytes) -> Iterator[str]:
    """The address of a server that gives this answer to everything."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        to, back = _pipes(server)
        to.write(answer)
        to.close()
        try:
            yield f"http://127.0.0.1:{int(back.readline())}"
        finally:
            server.terminate()


def _pipes(process: subprocess.Popen[Any]) -> tuple[IO[Any], IO[Any]]:
    if process.stdin is None or process.stdout is None:
        raise TypeError("the process was started without pipes")
    return process.stdin, process.stdout


@contextmanager
def old_client(url: str, calls: int) -> Iterator[Timed]:
    """Seconds that the old client takes for so many calls. It runs in an environment of its own."""
    python = OLD_CLIENT / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(OLD_CLIENT, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", OLD_LOCK]
        subprocess.run([str(part) for part in install], check=True, stderr=subprocess.DEVNULL)
    command = [str(python), "-W", "ignore", "-c", OLD, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        to, back = _pipes(process)

        def measure() -> float:
            to.write(f"{calls}\n")
            to.flush()
            return float(back.readline())

        try:
            yield measure
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
