"""What a call costs, alone and in bulk, beside the old official client and beside the bare transport.

All clients talk to one bare server on this machine, which answers everything with the same eligibility answer of the
sandbox; ours and the old one have a process each, which holds nothing else. Rounds are interleaved, in an order that
changes: each ratio is of two neighbours in time. Run it alone, or by `nox -s bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from callers import QUESTION

from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_ext import connect
from pokitdok_sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[1]
CALLERS = ROOT / "benchmarks" / "callers.py"
OLD_LOCK = ROOT / "tests" / "sandbox" / "old-client.lock"
OLD_CLIENT = ROOT / ".cache" / "old-client"
ROUNDS = 15
CALLS = 200
LONGER = 4
"""How many times the calls of a round are made in bulk, which first opens its connections."""
SIZE = 20_000
"""Bytes of the answer at least: that of a large one. The lists of the sandbox's answer are repeated up to it."""

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
import json, os, sys, time
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
from pokitdok.api.client import PokitDokClient
client = PokitDokClient("id", "secret", base=sys.argv[1])
import gc
member = {"first_name": "Nora", "last_name": "Quill", "id": "W000777001"}
question = {"trading_partner_id": "MOCKPAYER", "member": member, "provider": {"npi": "1234567893"}}
for line in sys.stdin:
    gc.collect()
    start = time.perf_counter()
    for _ in range(json.loads(line)[1]):
        client.eligibility(question)
    print(time.perf_counter() - start, flush=True)
"""

Measure = Callable[[str, int], float]
"""Seconds that a subject takes for so many calls."""

ROWS = (
    ("calls a second, one typed call at a time / old client", "old", "typed", ">= 1.2"),
    ("  and the whole answer written back to a dict", "old", "typed, to dict", ""),
    ("  without the extra `fast`", "old", "typed, core", ""),
    ("time, one typed call / same transport, JSON and reading", "typed", "bare", "<= 1.10"),
    ("calls a second, typed in bulk, 50 in flight / old client", "old", "typed 50", ">= 1.6"),
    ("  and the whole answers written back to dicts", "old", "typed, to dict 50", ""),
    ("calls a second, typed in bulk, 200 in flight / 50 in flight", "typed 50", "typed 200", ">= 0.9"),
    ("time, 50 in flight / same transport, JSON and reading, in order", "typed 50", "in order 50", "<= 1.10"),
    ("  each answer dropped", "typed 50", "dropped 50", ""),
    ("time, 200 in flight / same transport, JSON and reading, in order", "typed 200", "in order 200", "<= 1.10"),
    ("  each answer dropped", "typed 200", "dropped 200", ""),
    ("calls a second, FastTransport / httpx's own pool, 10 in flight", "stock 10", "dropped 10", ""),
    ("  50 in flight", "stock 50", "dropped 50", ""),
    ("  200 in flight", "stock 200", "dropped 200", ""),
)
"""What each row is called, the subjects whose times it divides, and our goal."""


def main() -> None:
    """Print the rows."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--calls", type=int, default=CALLS)
    chosen = options.parse_args()
    answer = json.dumps(sandbox_answer()).encode()
    print(f"eligibility answer of {len(answer)} bytes, {chosen.calls} calls a round, {chosen.rounds} rounds")
    subjects = sorted({name for _, over, under, _ in ROWS for name in (over, under)})
    with served(answer) as url, old_client(url) as old, ours(url) as new:
        times = interleaved({name: old if name == "old" else new for name in subjects}, chosen.calls, chosen.rounds)
    print(f"{'what':<66}{'x':>6}   {'quartiles':<15}goal")
    for name, over, under, goal in ROWS:
        ratios = [one / other for one, other in zip(times[over], times[under], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{name:<66}{middle:>6.2f}   {f'{low:.2f} to {high:.2f}':<15}{goal}".rstrip())


def interleaved(subjects: dict[str, Measure], calls: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each subject in each round; one more round first, to warm up.

    The order changes from round to round, since what a subject leaves in the memory slows the next one down.
    """
    times: dict[str, list[float]] = {name: [] for name in subjects}
    order, chance = list(subjects), random.Random(0)  # noqa: S311 - an order, no secret
    for number in range(rounds + 1):
        chance.shuffle(order)
        for name in order:
            many = LONGER if " " in name and name[-1] == "0" else 1
            seconds = subjects[name](name, calls * many) / many
            if number:
                times[name].append(seconds)
    return times


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
def ours(url: str) -> Iterator[Measure]:
    """Our client, in a process of its own."""
    with subprocess.Popen(
        [sys.executable, str(CALLERS), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield from measured(process)


@contextmanager
def old_client(url: str) -> Iterator[Measure]:
    """The old client, in an environment of its own."""
    python = OLD_CLIENT / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(OLD_CLIENT, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", OLD_LOCK]
        subprocess.run([str(part) for part in install], check=True, stderr=subprocess.DEVNULL)
    command = [str(python), "-W", "ignore", "-c", OLD, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield from measured(process)


def measured(process: subprocess.Popen[bytes]) -> Iterator[Measure]:
    """What asks *process* for measurements, once; it ends with them."""
    to, back = _pipes(process)

    def measure(name: str, calls: int) -> float:
        to.write(f"{json.dumps([name, calls])}\n".encode())
        to.flush()
        return float(back.readline())

    try:
        yield measure
    finally:
        process.terminate()


if __name__ == "__main__":
    main()
