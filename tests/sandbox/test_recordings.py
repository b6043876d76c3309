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
LOGIN = (Settings().client_id, Settings().client_secret)
OWN_IDS = {
    "/api/v4/identity": "uuid",
    "/api/v4/schedule/appointments": "pd_appointment_uuid",
    "/api/v4/schedule/appointmenttypes": "appointment_type_uuid",
    "/api/v4/schedule/schedulers": "scheduler_uuid",
}
"""Collections whose recorded ids nobody else has, and the member that holds an id of this sandbox."""
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
    """Yield where each recorded request went, the request and its answer. Outside the contract: method and path."""
    for file in sorted(RECORDINGS.glob("*/*.yaml")):
        for interaction in yaml.safe_load(file.read_text(encoding="utf-8"))["interactions"]:
            request = interaction["request"]
            path = urlsplit(request["uri"]).path
            address = f"{request['method']} {path}"
            yield operation_of(request["method"], path) or address, request, interaction["response"]


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


async def sent_again(api: httpx.AsyncClient, scoped: str, request: Any, response: Any) -> httpx.Response:
    """Send a recorded request with the credentials and ids of this sandbox in place of those of the recording."""
    status = response["status"]["code"]
    body = request["body"] or ""
    headers = {"content-type": request["headers"].get("Content-Type", ["application/json"])[0]} if body else {}
    url = urlsplit(request["uri"])
    path = url.path
    login = None
    if path == "/oauth2/token":
        headers["authorization"] = ""
        if "client_id" in body:
            body = body.replace("client_id=REDACTED", f"client_id={LOGIN[0]}")
            body = body.replace("client_secret=REDACTED", f"client_secret={LOGIN[1]}")
        elif status == 200:  # credentials in the URL, which the recording was cleaned of
            login = LOGIN
    elif status == 401:
        headers["authorization"] = ""
    elif status != 403:
        headers["authorization"] = f"Bearer {scoped}"
    collection, _, given = path.rpartition("/")
    if given and collection in OWN_IDS:
        known = (await api.get(f"{collection}/", headers={"authorization": f"Bearer {scoped}"})).json()["data"]
        path = f"{collection}/{known[0][OWN_IDS[collection]] if known else given}"
    target = f"{path}?{url.query}" if url.query else path
    return await api.request(request["method"], target, content=body.encode(), headers=headers, auth=login)


async def differing(api: httpx.AsyncClient) -> set[tuple[str, str]]:
    """Return the differences."""
    found: set[tuple[str, str]] = set()
    form = {"grant_type": "client_credentials", "scope": ANY_SCOPE}
    scoped = (await api.post("/oauth2/token", data=form, auth=LOGIN)).json()["access_token"]
    for operation, request, response in recorded():
        ours = await sent_again(api, scoped, request, response)
        status, kind = response["status"]["code"], response["headers"].get("Content-Type", [None])[0]
        if ours.status_code != status:
            found.add((operation, f"status {status}, here {ours.status_code}"))
            continue
        if ours.headers.get("content-type") != kind:
            found.add((operation, "content-type"))
        recorded_body = response["body"]["string"]
        if not recorded_body.startswith("{"):  # a redirect, a 405, an empty 204: their texts are nobody's contract
            if bool(recorded_body) != bool(ours.content):
                found.add((operation, "body"))
            continue
        for place in differences(json.loads(recorded_body), ours.json()):
            if operation != "list_activities" or not place.startswith(HISTORY):
                found.add((operation, place))
    return found


@pytest.mark.shared
async def test_each_recorded_request_is_answered_with_the_recorded_status_in_the_recorded_form(
    api: httpx.AsyncClient,
) -> None:
    entries = yaml.safe_load(ACCEPTED.read_text(encoding="utf-8"))
    accepted = {(entry["operation"], entry["member"]) for entry in entries}
    found = await differing(api)

    assert sorted(found - accepted) == []
    assert sorted(accepted - found) == []


@pytest.mark.shared
def test_no_recording_is_left_out() -> None:
    assert len(list(recorded())) == 200


def test_each_accepted_difference_has_its_reason() -> None:
    entries = yaml.safe_load(ACCEPTED.read_text(encoding="utf-8"))

    assert [entry for entry in entries if not entry["why"].strip()] == []
    assert len({(entry["operation"], entry["member"]) for entry in entries}) == len(entries)


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
