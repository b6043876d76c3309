"""Load on a sandbox of its own process: many requests in flight while activities advance. Exit code 1 when it fails.

    python benchmarks/soak.py --requests 2000 --in-flight 50

What is counted: every answer, every request the sandbox says it had, every claim and where it ended. A claim whose
cancellation was acknowledged and that is not canceled at the end is a lost update. The resident memory of the sandbox
is read along the way, where the system tells it; in a run long enough to tell, it must stay flat.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGIN = ("sandbox-client-id", "sandbox-client-secret")
SAMPLES = 10
"""How often memory is read over a run."""
LONG = 50_000
"""Requests from which on memory is judged: after a fifth of them what is kept has reached its bound."""
GROWTH = 1.1
"""How much more memory the last tenth of a long run may take than the second."""

CHECK = {
    "trading_partner_id": "MOCKPAYER",
    "member": {"id": "W000777001", "first_name": "Nora", "last_name": "Quill", "birth_date": "1980-02-03"},
    "provider": {"npi": "1234567893", "organization_name": "Heron Clinic"},
}
CLAIM = {
    "trading_partner_id": "MOCKPAYER",
    "transaction_code": "chargeable",
    "billing_provider": {"organization_name": "Heron Clinic", "npi": "1234567893", "tax_id": "000000001"},
    "subscriber": {"first_name": "Nora", "last_name": "Quill", "member_id": "W000777001", "birth_date": "1980-02-03"},
    "claim": {
        "total_charge_amount": 60.0,
        "service_lines": [
            {
                "procedure_code": "99213",
                "charge_amount": 60.0,
                "unit_count": 1.0,
                "service_date": "2023-11-10",
                "diagnosis_codes": ["J10.1"],
            }
        ],
    },
}


@dataclass
class Run:
    """What one run saw.

    Attributes:
        statuses: How many answers had which status.
        claims: Activity id of each claim to how many entries its history had when last seen.
        canceled: Claims whose cancellation was acknowledged.
        wrong: What must not happen, in words.
        memory: Resident memory of the sandbox in kB after each tenth of the run; empty where the system does not tell.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    claims: dict[str, int] = field(default_factory=dict)
    canceled: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


def main() -> int:
    """Run, print what was counted, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--speed", type=float, default=60.0, help="60 lets a claim end after seven seconds")
    options = parser.parse_args()
    run = Run()
    began = time.perf_counter()
    with served(options.speed) as (process, url):
        asyncio.run(load(run, url, process.pid, options.requests, options.in_flight))
    seconds = time.perf_counter() - began
    print(f"{options.requests} requests, {options.in_flight} in flight, {seconds:.0f} s; answers: {dict(run.statuses)}")
    print(f"claims: {len(run.claims)}, canceled: {len(run.canceled)}")
    if run.memory:
        print("memory of the sandbox, MB, after each tenth:", *(f"{kb / 1024:.0f}" for kb in run.memory))
    if options.requests >= LONG and run.memory and run.memory[-1] > GROWTH * run.memory[1]:
        run.wrong.append(f"memory grew by more than a factor of {GROWTH}")
    for text in run.wrong[:20]:
        print(f"wrong: {text}")
    return 1 if run.wrong else 0


@contextmanager
def served(speed: float) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Give a sandbox in a process of its own, and its address."""
    command = [sys.executable, "-m", "pokitdok_sandbox", "--port", "0", "--speed", str(speed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield process, next(word for word in line.split() if word.startswith("http://"))
        finally:
            process.terminate()


async def load(run: Run, url: str, pid: int, requests: int, in_flight: int) -> None:
    """Send the requests, then compare what the sandbox holds with what it had answered."""
    form = {"grant_type": "client_credentials"}
    token = httpx.post(f"{url}/oauth2/token", data=form, auth=LOGIN).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # no request here is https, and httpx would read all CAs each time
    numbers = iter(range(requests))
    every = max(1, requests // SAMPLES)

    async def work() -> None:
        own = ""
        async with httpx.AsyncClient(base_url=url, headers=headers, verify=trust, timeout=60) as client:
            for number in numbers:  # shared: each number is one request of one worker
                own = await step(run, client, number, own)
                if number % every == every - 1:
                    run.memory += resident(pid)

    await asyncio.gather(*(work() for _ in range(in_flight)))
    async with httpx.AsyncClient(base_url=url, headers=headers, verify=trust, timeout=60) as client:
        state = (await client.get("/_sandbox/state")).json()
        counted = sum(state["requests"].values()) - state["token_requests"]
        if counted != requests or run.statuses.total() != requests:
            run.wrong.append(f"{requests} sent, {run.statuses.total()} answered, {counted} counted by the sandbox")
        for claim in run.claims:
            await settle(run, client, claim)


async def step(run: Run, client: httpx.AsyncClient, number: int, own: str) -> str:
    """Send one request; which one depends on its number. Return the claim that this worker follows."""
    turn = number % 50
    if turn < 2 or not own:
        answer = await client.post("/api/v4/claims/", json=CLAIM)
        if note(run, answer, 200):
            own = answer.json()["data"]["id"]
            run.claims[own] = 0
    elif turn == 2:
        answer = await client.put(f"/api/v4/activities/{own}", json={"transition": "cancel"})
        if note(run, answer, 200, 422) and answer.status_code == 200:
            run.canceled.add(own)
            return ""  # it is over, and memory keeps the newest of those alone
    elif turn < 25:
        answer = await client.get(f"/api/v4/activities/{own}")
        if note(run, answer, 200):
            look(run, answer.json()["data"])
    elif turn < 40:
        note(run, await client.post("/api/v4/eligibility/", json=CHECK), 200)
    else:
        note(run, await client.get("/api/v4/activities/", params={"limit": 5}), 200)
    return own


def note(run: Run, answer: httpx.Response, *expected: int) -> bool:
    """Count an answer; tell whether it is one of those expected."""
    run.statuses[answer.status_code] += 1
    if answer.status_code in expected:
        return True
    run.wrong.append(f"{answer.request.method} answered {answer.status_code}, expected {expected}")
    return False


def look(run: Run, activity: dict[str, Any]) -> None:
    """Compare an activity with what was seen of it before: a history only grows, a canceled one stays canceled."""
    claim, length = activity["id"], len(activity["history"])
    if length < run.claims[claim]:
        run.wrong.append("a history became shorter")
    run.claims[claim] = length


async def settle(run: Run, client: httpx.AsyncClient, claim: str) -> None:
    """Check where one claim ended, after all requests."""
    answer = await client.get(f"/api/v4/activities/{claim}")
    if answer.status_code != 200:
        if claim not in run.canceled:  # a canceled one is over, and memory keeps the newest of those alone
            run.wrong.append("a claim is gone")
        return
    activity = answer.json()["data"]
    look(run, activity)
    if (claim in run.canceled) != (activity["state"]["name"] == "canceled"):
        run.wrong.append("lost update: a cancellation and the state of its claim do not agree")


def resident(pid: int) -> list[int]:
    """Return the resident memory of a process in kB, alone in a list; empty where /proc does not tell."""
    file = Path(f"/proc/{pid}/status")
    if not file.exists():
        return []
    return [int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith("VmRSS")]


if __name__ == "__main__":
    sys.exit(main())
