"""What the client costs, as ratios measured side by side in one run: import, cold start, reading, writing, tokens.

Each row is the median of interleaved rounds, with the spread between the quartiles. Absolute times are not printed:
they are the machine's, the ratios are ours. The last column is our goal, where there is one.
"""

from __future__ import annotations

import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from answers import largest_answer, sandbox_answer
from peers import pydantic_writer, write_msgspec, write_pydantic, write_stock
from tokens import token_rows

from pokitdok_api.models import EligibilityEnvelope
from pokitdok_ext.testing import Contract

ROUNDS = 15

Timed = Callable[[], float]


def main() -> None:
    """Print the rows."""
    small = sandbox_answer()
    large = largest_answer(small)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "answer.json").write_text(json.dumps(large), encoding="utf-8")
        schemas = Contract().document["components"]["schemas"]
        write_stock(folder)
        write_pydantic(folder, "EligibilityEnvelope", schemas)
        write_msgspec(folder, "EligibilityEnvelope", schemas)
        sys.path.insert(0, scratch)
        print(f"{'what':<66}{'x':>6}   {'quartiles':<16}goal")
        starting(folder)
        for size, answer in (("large", large), ("sandbox's", small)):
            reading(size, answer)
    token_rows()


def starting(folder: Path) -> None:
    """Import and cold start, each in a new interpreter."""
    rows: dict[str, tuple[str, float | None]] = {
        "import of extension, connect, one endpoint": (USE, 1.6),
        "the same with its httpx client (a TLS context is made)": (f"{USE}client.get_httpx_client()\n", None),
        "import of one endpoint of the stock generator, client": (STOCK_USE, None),
        "cold start to the first parsed answer": (FIRST_ANSWER, 2.6),
        "the same, stock generator": (OTHER_FIRST.format(read=STOCK_FIRST), None),
        "the same, pydantic": (OTHER_FIRST.format(read=PYDANTIC_FIRST), None),
        "the same, msgspec": (OTHER_FIRST.format(read=MSGSPEC_FIRST), None),
        "the sandbox, until it serves": (SANDBOX, None),
    }
    for name, (code, goal) in rows.items():
        row(f"{name} / import httpx", (fresh(code, folder), fresh("import httpx", folder)), goal=goal)


def reading(size: str, answer: dict[str, Any]) -> None:
    """Reading and writing one answer in every way."""
    text = json.dumps(answer).encode()
    objects = count_objects(answer)
    print(f"-- the {size} answer: {len(text) / 1000:.1f} KB, {objects} objects of {len(text) // objects} bytes")
    baseline = timed(lambda: json.loads(text))
    for name, read, write in readers(answer, text):
        goals = (1.2, 1.15) if name == "ours" else (None, None)
        row(f"read, {name} / json.loads", (timed(read), baseline), goal=goals[0])
        if write is not None:
            row(f"write, {name} / json.loads", (timed(write), baseline), goal=goals[1])


def count_objects(value: Any) -> int:
    """Objects in *value*, at any depth."""
    if isinstance(value, dict):
        return 1 + sum(map(count_objects, value.values()))
    return sum(map(count_objects, value)) if isinstance(value, list) else 0


Way = tuple[str, Callable[[], Any], Callable[[], Any] | None]


def readers(answer: dict[str, Any], text: bytes) -> list[Way]:
    """Our models and others of the same contract: name, reading, writing. All write back what they read."""
    stock = importlib.import_module("stock_api.models").EligibilityEnvelope
    model = importlib.import_module("pydantic_models").EligibilityEnvelope
    struct = importlib.import_module("msgspec_models").EligibilityEnvelope
    ways: list[Way] = [
        ("ours", lambda: EligibilityEnvelope.from_dict(answer), EligibilityEnvelope.from_dict(answer).to_dict),
        ("stock generator", lambda: stock.from_dict(answer), stock.from_dict(answer).to_dict),
        ("pydantic, from dict", lambda: model.model_validate(answer), pydantic_writer(model.model_validate(answer))),
        ("pydantic, from bytes", lambda: model.model_validate_json(text), None),
        ("msgspec, from dict", lambda: msgspec.convert(answer, struct), to_builtins(msgspec.convert(answer, struct))),
        ("msgspec, from bytes", lambda: msgspec.json.decode(text, type=struct), None),
    ]
    for name, _, write in ways:
        if write is not None and write() != answer:
            raise SystemExit(f"{name}: what was read is not written back, the rows would not compare")
    return ways


def to_builtins(struct: Any) -> Callable[[], Any]:
    """Writes *struct* as JSON types."""
    return lambda: msgspec.to_builtins(struct)


def row(name: str, pair: tuple[Timed, Timed], *, goal: float | None) -> None:
    """Measure subject and baseline in turn and print the ratio."""
    subject, baseline = pair
    subject(), baseline()
    ratios = sorted(subject() / baseline() for _ in range(ROUNDS))
    low, middle, high = statistics.quantiles(ratios, n=4)
    wanted = "" if goal is None else f"{goal:.2f}{'' if middle <= goal else '  missed'}"
    spread = f"{low:.2f} to {high:.2f}"
    print(f"{name:<66}{middle:>6.2f}   {spread:<16}{wanted}", flush=True)


def timed(function: Callable[[], Any], repeat: int = 100) -> Timed:
    """Seconds that the calls take."""

    def measure() -> float:
        start = time.perf_counter()
        for _ in range(repeat):
            function()
        return time.perf_counter() - start

    return measure


def fresh(code: str, folder: Path) -> Timed:
    """Seconds that *code* takes in a new interpreter, start-up of the interpreter not counted."""
    program = f"import time\nstart = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"

    def measure() -> float:
        command = [sys.executable, "-c", program]
        result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        return float(result.stdout)

    return measure


SANDBOX = """\
import pokitdok_sandbox
with pokitdok_sandbox.Sandbox():
    pass
"""

USE = """\
from pokitdok_ext import connect
from pokitdok_api.api.eligibility import check_eligibility
client = connect("id", "secret", base_url="http://127.0.0.1:8400")
"""

STOCK_USE = """\
from stock_api import AuthenticatedClient
from stock_api.api.trading_partners import get_trading_partner
client = AuthenticatedClient(base_url="http://127.0.0.1:8400", token="t")
"""

FIRST_ANSWER = """\
import httpx
from pokitdok_ext import connect
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.models import EligibilityRequest
answer = httpx.Response(200, content=open("answer.json", "rb").read())
client = connect(token="t", base_url="http://127.0.0.1:8400", transport=httpx.MockTransport(lambda request: answer))
check_eligibility.sync(client=client, body=EligibilityRequest.from_dict({"trading_partner_id": "X"}))
"""

OTHER_FIRST = """\
import httpx
answer = httpx.Response(200, content=open("answer.json", "rb").read())
client = httpx.Client(transport=httpx.MockTransport(lambda request: answer))
content = client.post("http://127.0.0.1:8400/", json={{"trading_partner_id": "X"}}).content
{read}
"""

STOCK_FIRST = """\
import json
from stock_api.api.trading_partners import get_trading_partner
from stock_api.models import EligibilityEnvelope
EligibilityEnvelope.from_dict(json.loads(content))
"""
PYDANTIC_FIRST = "from pydantic_models import EligibilityEnvelope\nEligibilityEnvelope.model_validate_json(content)"
MSGSPEC_FIRST = "import msgspec, msgspec_models\nmsgspec.json.decode(content, type=msgspec_models.EligibilityEnvelope)"


if __name__ == "__main__":
    main()
