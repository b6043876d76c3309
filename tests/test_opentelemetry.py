"""The recipe of docs/opentelemetry.md, run as it stands there: spans by operation, and no patient on any."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pokitdok_api import Client
from pokitdok_api.api.activities import get_activity
from pokitdok_ext import ServerError, connect
from pokitdok_ext.generic import arequest, request

PAGE = Path(__file__).resolve().parent.parent / "docs" / "opentelemetry.md"
ROOT = "https://api.example.com"
CANARIES = ("canaryname", "canaryid", "tokencanary")


@pytest.fixture
def recipe() -> dict[str, Any]:
    code: dict[str, Any] = {}
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(block, code)  # noqa: S102 - it is our own page
    return code


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def options(exporter: InMemorySpanExporter) -> dict[str, Any]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return {"tracer_provider": provider}


def client_of(status: int) -> Client:
    network = httpx.MockTransport(lambda _: httpx.Response(status, json={"meta": {}, "data": {"id": "canaryid"}}))
    return connect(token="tokencanary", base_url=ROOT, transport=network, async_transport=network, retry=None)


def shown(exporter: InMemorySpanExporter) -> str:
    return "\n".join(span.to_json() for span in exporter.get_finished_spans())


@pytest.mark.parametrize("semantics", ["", "http", "http/dup"])
def test_spans_are_named_by_operation_and_hold_no_patient(
    recipe: dict[str, Any],
    exporter: InMemorySpanExporter,
    options: dict[str, Any],
    semantics: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", semantics)
    client = client_of(200)
    recipe["instrument"](client.get_httpx_client(), **options)
    get_activity.sync("canaryid", client=client)
    request(client, "GET", "/api/v4/people/{name}", path_values={"name": "canaryname"}, params={"q": "canaryname"})

    async def on_a_loop() -> None:
        recipe["instrument"](client.get_async_httpx_client(), **options)
        await arequest(client, "GET", "/api/v4/people/{name}", path_values={"name": "canaryname"})

    asyncio.run(on_a_loop())
    names = [span.name for span in exporter.get_finished_spans()]
    assert names == ["GET /api/v4/activities/{activity_id}", *["GET /api/v4/people/{name}"] * 2]
    assert f"{ROOT}/api/v4/people/{{name}}" in shown(exporter)
    assert [canary for canary in CANARIES if canary in shown(exporter)] == []


def test_failed_call_leaves_no_patient_on_its_span(
    recipe: dict[str, Any], exporter: InMemorySpanExporter, options: dict[str, Any]
) -> None:
    client = client_of(500)
    recipe["instrument"](client.get_httpx_client(), **options)
    with pytest.raises(ServerError):
        get_activity.sync("canaryid", client=client)
    assert len(exporter.get_finished_spans()) == 1
    assert [canary for canary in CANARIES if canary in shown(exporter)] == []


def test_without_the_recipe_a_patient_would_be_on_the_span(
    exporter: InMemorySpanExporter, options: dict[str, Any]
) -> None:
    """What the recipe is for; should this fail one day, the page is no longer needed."""
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor  # noqa: PLC0415

    client = client_of(200)
    HTTPXClientInstrumentor.instrument_client(client.get_httpx_client(), **options)
    get_activity.sync("canaryid", client=client)
    assert "canaryid" in shown(exporter)
