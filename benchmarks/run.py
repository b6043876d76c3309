"""What the client costs, as ratios measured side by side in one run: import, reading, writing, the token on a request.

Each row is the median of interleaved rounds, with the spread between the quartiles. Absolute times are not printed:
they are the machine's, the ratios are ours.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
from peers import pydantic_model, pydantic_writer, stock_model
from tokens import token_rows

from pokitdok_api import Client
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.api.trading_partners import get_trading_partner
from pokitdok_api.models import EligibilityEnvelope, EligibilityMember, EligibilityRequest, EligibilityRequestProvider
from pokitdok_ext import connect
from pokitdok_ext.testing import Contract
from pokitdok_sandbox import Sandbox

ROUNDS = 15

Timed = Callable[[], float]


def main() -> None:
    """Print the rows."""
    answer = largest_answer()
    text = json.dumps(answer).encode()
    print(f"{'what':<62}{'x':>6}   quartiles")
    row("import of extension, connect, one endpoint / import httpx", fresh(USE), fresh("import httpx"))
    row("to the first parsed answer / import httpx", fresh(FIRST_ANSWER), fresh("import httpx"))
    baseline = timed(lambda: json.loads(text), 200)
    for name, read, write in readers(answer):
        row(f"reading an eligibility answer{name} / json.loads", timed(read, 200), baseline)
        row(f"to_dict of it{name} / json.loads", timed(write, 200), baseline)
    row("request with a cached token / static header", *signed_requests())
    token_rows()


def readers(answer: dict[str, Any]) -> list[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """Our models and others of the same contract: name, reading, writing. All write back what they read."""
    ours = EligibilityEnvelope.from_dict(answer)
    stock = stock_model("EligibilityEnvelope")
    stocked = stock.from_dict(answer)
    model = pydantic_model("EligibilityEnvelope", Contract().document["components"]["schemas"])
    write = pydantic_writer(model.model_validate(answer))
    for name, written in (("ours", ours.to_dict()), ("stock", stocked.to_dict()), ("pydantic", write())):
        if written != answer:
            raise SystemExit(f"{name}: what was read is not written back, the rows would not compare")
    return [
        ("", lambda: EligibilityEnvelope.from_dict(answer), ours.to_dict),
        (", stock generator", lambda: stock.from_dict(answer), stocked.to_dict),
        (", pydantic", lambda: model.model_validate(answer), write),
    ]


def row(name: str, subject: Timed, baseline: Timed) -> None:
    """Measure both in turn and print the ratio."""
    subject(), baseline()
    ratios = sorted(subject() / baseline() for _ in range(ROUNDS))
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"{name:<62}{middle:>6.2f}   {low:.2f} to {high:.2f}", flush=True)


def timed(function: Callable[[], Any], repeat: int) -> Timed:
    def measure() -> float:
        start = time.perf_counter()
        for _ in range(repeat):
            function()
        return time.perf_counter() - start

    return measure


def fresh(code: str) -> Timed:
    """Seconds that *code* takes in a new interpreter, start-up of the interpreter not counted."""
    program = f"import time\nstart = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"

    def measure() -> float:
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return float(result.stdout)

    return measure


USE = """\
from pokitdok_ext import connect
from pokitdok_api.api.eligibility import check_eligibility
client = connect("id", "secret", base_url="http://127.0.0.1:8400")
client.get_httpx_client()
"""

FIRST_ANSWER = """\
import httpx
from pokitdok_ext import connect
from pokitdok_api.api.trading_partners import get_trading_partner
partner = {"id": "x", "name": "X", "is_enabled": True}
answer = httpx.Response(200, json={"meta": {"processing_time": 1}, "data": partner})
client = connect(token="t", base_url="http://127.0.0.1:8400", transport=httpx.MockTransport(lambda request: answer))
get_trading_partner.sync("x", client=client)
"""


def largest_answer() -> dict[str, Any]:
    """An eligibility answer of the sandbox."""
    member = EligibilityMember(first_name="Nora", last_name="Quill", id="W000777001")
    provider = EligibilityRequestProvider(npi="1234567893")
    body = EligibilityRequest(trading_partner_id="MOCKPAYER", member=member, provider=provider)
    with Sandbox(port=0) as sandbox, connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url) as client:
        answer: dict[str, Any] = json.loads(check_eligibility.sync_detailed(client=client, body=body).content)
        return answer


def signed_requests() -> tuple[Timed, Timed]:
    """The same call with a token from the manager and with a header set once."""
    partner = {"meta": {"processing_time": 1}, "data": {"id": "x", "name": "X", "is_enabled": True}}
    token = {"access_token": "t" * 40, "token_type": "bearer", "expires_in": 3600}

    def platform(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=token if request.url.path == "/oauth2/token" else partner)

    transport = httpx.MockTransport(platform)
    managed = connect("id", "secret", base_url="http://127.0.0.1:8400", transport=transport)
    static = Client("http://127.0.0.1:8400", transport=transport, headers={"authorization": "Bearer " + "t" * 40})
    return (
        timed(lambda: get_trading_partner.sync("x", client=managed), 100),
        timed(lambda: get_trading_partner.sync("x", client=static), 100),
    )


if __name__ == "__main__":
    main()
