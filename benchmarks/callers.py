"""Makes the calls that `calls.py` measures, in a process that holds nothing else.

Reads a line for each measurement, the name of a subject and a number of calls, and answers with the seconds it took.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from pokitdok_api import Client
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.models import EligibilityEnvelope, EligibilityMember, EligibilityRequest, EligibilityRequestProvider
from pokitdok_ext import connect
from pokitdok_ext.bulk import arun
from pokitdok_ext.fast import FastTransport, decode_json

PATH = "/api/v4/eligibility/"
HEADERS = {"Authorization": "Bearer " + "t" * 40, "Content-Type": "application/json", "User-Agent": "bare"}
MEMBER = EligibilityMember(first_name="Nora", last_name="Quill", id="W000777001")
QUESTION = EligibilityRequest(
    trading_partner_id="MOCKPAYER", member=MEMBER, provider=EligibilityRequestProvider(npi="1234567893")
)
CONTENT = json.dumps(QUESTION.to_dict(), separators=(",", ":")).encode()
READ = check_eligibility._parse
"""What a call reads its answer by."""

Subject = Callable[[int], object]


def one_at_a_time(url: str) -> dict[str, Subject]:
    """Calls in one thread, each after the one before it."""
    fast = connect("id", "secret", base_url=url, decode=decode_json)
    core = connect("id", "secret", base_url=url)
    http = httpx.Client(headers=HEADERS)

    def typed(client: Client, use: Callable[[EligibilityEnvelope], object]) -> Subject:
        def calls(number: int) -> None:
            for _ in range(number):
                use(check_eligibility.sync(client=client, body=QUESTION))

        return calls

    def bare(number: int) -> None:
        for _ in range(number):
            look(READ(decode_json(http.post(url + PATH, content=CONTENT).content)))

    return {
        "typed": typed(fast, look),
        "typed, to dict": typed(fast, EligibilityEnvelope.to_dict),
        "typed, core": typed(core, look),
        "bare": bare,
    }


def in_bulk(url: str, runner: asyncio.Runner) -> dict[str, Subject]:
    """Calls in one loop, many in flight. The name of each ends with how many."""
    client = connect("id", "secret", base_url=url, async_transport=FastTransport(), decode=decode_json)
    fast = httpx.AsyncClient(transport=FastTransport(), headers=HEADERS)
    stock = httpx.AsyncClient(headers=HEADERS)

    def ask(_number: int) -> Awaitable[EligibilityEnvelope]:
        return check_eligibility.asyncio(client=client, body=QUESTION)

    async def typed(number: int, in_flight: int, use: Callable[[EligibilityEnvelope], object]) -> None:
        async for outcome in arun(ask, range(number), in_flight=in_flight):
            use(outcome.result())

    async def bare(http: httpx.AsyncClient, number: int, in_flight: int, *, keep: bool) -> None:
        """The same without us; *keep*: give the answers in order, as `asyncio.gather` would, else drop each."""
        left = iter(range(number))
        answers: dict[int, EligibilityEnvelope] = {}

        async def work() -> None:
            for place in left:
                answer = READ(decode_json((await http.post(url + PATH, content=CONTENT)).content))
                look(answer)
                if keep:
                    answers[place] = answer

        await asyncio.gather(*(work() for _ in range(in_flight)))

    def subjects(in_flight: int) -> dict[str, Subject]:
        return {
            f"typed {in_flight}": lambda number: runner.run(typed(number, in_flight, look)),
            f"typed, to dict {in_flight}": lambda number: runner.run(
                typed(number, in_flight, EligibilityEnvelope.to_dict)
            ),
            f"in order {in_flight}": lambda number: runner.run(bare(fast, number, in_flight, keep=True)),
            f"dropped {in_flight}": lambda number: runner.run(bare(fast, number, in_flight, keep=False)),
            f"stock {in_flight}": lambda number: runner.run(bare(stock, number, in_flight, keep=False)),
        }

    return {name: subject for in_flight in (10, 50, 200) for name, subject in subjects(in_flight).items()}


def look(answer: EligibilityEnvelope) -> Any:
    """What a front desk looks at: whether the plan is active, and the copays."""
    coverage = answer.data.coverage  # type: ignore[union-attr]
    return coverage.active, [copay.copayment for copay in coverage.copay]  # type: ignore[union-attr]


def main() -> None:
    """Answer until the input ends."""
    with asyncio.Runner() as runner:
        subjects = one_at_a_time(sys.argv[1]) | in_bulk(sys.argv[1], runner)
        for line in sys.stdin:
            name, number = json.loads(line)
            gc.collect()
            start = time.perf_counter()
            subjects[name](number)
            print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
