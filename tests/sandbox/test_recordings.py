"""The recordings of the real platform as the oracle: the same request gets the same form of answer from the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml

from pokitdok_sandbox import Settings
from pokitdok_sandbox.contract import load_contract

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "platform" / "recordings"
ACCEPTED = Path(__file__).parent / "accepted_differences.yaml"
ANY_SCOPE = "user_schedule business_schedule"
HISTORY = ("/data/parameters", "/data/result")
"""In a list of activities these tell what an account had done before, not how the platform answers."""


def operation_of(method: str, path: str) -> str | None:
    """Return the operation that a recorded request went to, or None when the contract has none at this address."""
    steps = path.split("/")
    found = []
    for operation in load_contract().operations:
        wanted = operation.path.split("/")
        fits = all(want == step or (want.startswith("{") and step) for want, step in zip(wanted, steps, strict=False))
        if operation.method == method and len(wanted) == len(steps) and fits:
            found.append(operation)
    # a word in a path goes before a parameter, as in the sandbox
    return min(found, key=lambda one: one.path.count("{")).id if found else None


def recorded() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for file in sorted(RECORDINGS.glob("*/*.yaml")):
        for interaction in yaml.safe_load(file.read_text(encoding="utf-8"))["interactions"]:
            request = interaction["request"]
            operation = operation_of(request["method"], urlsplit(request["uri"]).path)
            if operation is not None and operation != "create_token":
                yield operation, request, interaction["response"]


def differences(theirs: Any, ours: Any, place: str = "") -> Iterator[str]:
    """Yield the members of a recorded answer that ours lacks or holds in another type. Lists: by their union."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name, value in theirs.items():
            if name not in ours:
                yield f"{place}/{name}"
            else:
                yield from differences(value, ours[name], f"{place}/{name}")
    elif isinstance(theirs, list) and isinstance(ours, list):
        for one, other in zip([union(theirs)], [union(ours)], strict=True):
            if one and other:
                yield from differences(one, other, place)
    elif type(theirs) is not type(ours):
        yield place


def union(items: list[Any]) -> Any:
    """Return one map with the members of all, the maps inside them put together likewise."""
    found: dict[str, Any] = {}
    for item in items:
        for name, value in item.items() if isinstance(item, dict) else ():
            both = isinstance(value, dict) and isinstance(found.get(name), dict)
            found[name] = union([found[name], value]) if both else value
    return found


async def differing(api: httpx.AsyncClient) -> set[tuple[str, str]]:
    """Return the differences; an answer that is an example of the contract is compared without its members."""
    found: set[tuple[str, str]] = set()
    form = {"grant_type": "client_credentials", "scope": ANY_SCOPE}
    login = (Settings().client_id, Settings().client_secret)
    scoped = (await api.post("/oauth2/token", data=form, auth=login)).json()["access_token"]
    for operation, request, response in recorded():
        url = urlsplit(request["uri"])
        kind = request["headers"].get("Content-Type", ["application/json"])[0]
        headers = {"content-type": kind} if request["body"] else {}
        if response["status"]["code"] == 401:
            headers["authorization"] = ""
        elif response["status"]["code"] != 403:
            headers["authorization"] = f"Bearer {scoped}"
        ours = await api.request(
            request["method"], f"{url.path}?{url.query}", content=request["body"] or b"", headers=headers
        )
        if ours.status_code != response["status"]["code"]:
            found.add((operation, "status"))
            continue
        if ours.headers.get("content-type") != response["headers"].get("Content-Type", [None])[0]:
            found.add((operation, "content-type"))
        if ours.headers["x-sandbox-answer"] == "example":
            continue
        if not response["body"]["string"]:
            assert ours.content == b""
            continue
        for place in differences(json.loads(response["body"]["string"]), ours.json()):
            if operation != "list_activities" or not place.startswith(HISTORY):
                found.add((operation, place))
    return found


@pytest.mark.shared
async def test_each_recorded_request_is_answered_in_the_recorded_form(api: httpx.AsyncClient) -> None:
    served = {operation.id for operation in load_contract().operations}
    entries = yaml.safe_load(ACCEPTED.read_text(encoding="utf-8"))
    accepted = {(entry["operation"], entry["member"]) for entry in entries if entry["operation"] in served}
    found = await differing(api)

    assert sorted(found - accepted) == []
    assert sorted(accepted - found) == []


@pytest.mark.shared
def test_the_recordings_reach_every_area() -> None:
    assert {operation for operation, _, _ in recorded()} >= {
        "list_activities",
        "check_eligibility",
        "submit_claim",
        "list_trading_partners",
        "get_trading_partner",
    }


@pytest.mark.parametrize(
    ("theirs", "ours", "place"),
    [
        ({"a": 1}, {}, ["/a"]),
        ({"a": 1}, {"a": "1"}, ["/a"]),
        ({"a": [{"b": 1}]}, {"a": [{"c": 1}, {"b": 1}]}, []),
        ({"a": [{"b": 1}]}, {"a": [{"c": 1}]}, ["/a/b"]),
        ({"a": [{"b": {"c": 1}}]}, {"a": [{"b": {"c": 2}}, {"b": {"d": 1}}]}, []),
        ({}, {"a": 1}, []),
    ],
)
def test_a_difference_is_a_member_that_is_missing_or_of_another_type(theirs: Any, ours: Any, place: list[str]) -> None:
    assert list(differences(theirs, ours)) == place
