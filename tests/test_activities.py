"""Waiting: until the end, with what it says of why, never longer than asked, and through an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pokitdok_api import Client
from pokitdok_api.api.claims import submit_claim
from pokitdok_api.models import Activity, ClaimRequest
from pokitdok_ext import APIError, NotFoundError, connect
from pokitdok_ext.activities import (
    ActivityCanceledError,
    ActivityError,
    ActivityFailedError,
    ActivityRejectedError,
    ActivityTimeoutError,
    await_activity,
    wait_for_activity,
)
from pokitdok_ext.testing import HeldClock

ID = "5f0c1d2e3a4b5c6d7e8f9a0b"


class Platform:
    """Shows an activity in one state after the other, the last for ever; a number is a status without an activity.

    0 is no connection, and -1 an answer that is not in its encoding.
    """

    def __init__(self, *states: str | int, result: Any = None) -> None:
        self.states, self.result = states, result
        self.time = HeldClock()
        self.looked = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == f"/api/v4/activities/{ID}"
        state = self.states[min(self.looked, len(self.states) - 1)]
        self.looked += 1
        if isinstance(state, int):
            if state == 0:
                raise httpx.ConnectError("down")
            if state == -1:
                return httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=b"not in gzip")
            return httpx.Response(state, json={"message": "no"})
        activity = {"id": ID, "name": "claims", "state": {"name": state, "title": "T"}, "result": self.result}
        return httpx.Response(200, json={"meta": {}, "data": activity})


def wait_sync(platform: Platform, **options: Any) -> Activity:
    return wait_for_activity(ID, **{"client": client_of(platform), **options})


def wait_async(platform: Platform, **options: Any) -> Activity:
    return asyncio.run(await_activity(ID, **{"client": client_of(platform), **options}))


Wait = Callable[..., Activity]
both = pytest.mark.parametrize("wait", [wait_sync, wait_async])


def client_of(platform: Platform) -> Client:
    network = httpx.MockTransport(platform)
    return connect(
        token="t",
        base_url="https://api.example.com",
        transport=network,
        async_transport=network,
        retry=None,
        clock=platform.time.clock(),
    )


@both
def test_activity_is_looked_at_less_and_less_often_until_it_is_completed(wait: Wait) -> None:
    platform = Platform(*["scheduled"] * 11, "completed")
    activity = wait(platform)
    assert activity.id == ID
    assert platform.looked == 12
    assert platform.time.slept == pytest.approx([min(2 * 1.5**n, 60) for n in range(11)])


@both
@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("failed", ActivityFailedError),
        ("rejected", ActivityRejectedError),
        ("rejected_reviewed", ActivityRejectedError),
        ("canceled", ActivityCanceledError),
    ],
)
def test_other_end_is_an_error_with_the_activity(wait: Wait, state: str, error: type[ActivityError]) -> None:
    platform = Platform("processing", state)
    with pytest.raises(error) as caught:
        wait(platform)
    assert (caught.value.activity_id, caught.value.state) == (ID, state)
    assert caught.value.activity is not None
    assert ID in str(caught.value)


@both
def test_rejection_says_why_and_its_text_does_not_quote_it(wait: Wait) -> None:
    status = {"status_category": "Rejected", "status_category_code": "A3", "status_code_value": "Canaryname unknown"}
    result = {"submitter": {"statuses": [status, status]}, "errors": {"member": ["id Canaryname is wrong"]}}
    platform = Platform("rejected", result=result)
    with pytest.raises(ActivityRejectedError) as caught:
        wait(platform)
    assert caught.value.reasons == ["Rejected: Canaryname unknown", "id Canaryname is wrong"]
    assert "Canaryname" not in f"{caught.value} {caught.value!r}"


@both
def test_deadline_ends_the_wait_and_not_the_work(wait: Wait) -> None:
    platform = Platform("waiting")
    with pytest.raises(ActivityTimeoutError, match="state: waiting") as caught:
        wait(platform, within=10)
    assert sum(platform.time.slept) == 10
    platform.states = ("completed",)
    assert wait_sync(platform).id == caught.value.activity_id


@both
def test_outage_is_waited_out(wait: Wait) -> None:
    platform = Platform("waiting", 0, -1, 500, 503, "completed")
    assert wait(platform).id == ID


@both
def test_outage_is_waited_out_by_a_client_without_retries_too(wait: Wait) -> None:
    """A `Client` of its own, on whose way httpx's errors pass as they are."""
    platform = Platform("waiting", -1, 0, "completed")
    network = httpx.MockTransport(platform)
    client = Client("https://api.example.com", transport=network, async_transport=network)
    assert wait(platform, client=client, clock=platform.time.clock()).id == ID


@both
def test_refusal_of_a_gateway_is_no_outage(wait: Wait) -> None:
    platform = Platform("waiting", 403)
    with pytest.raises(APIError) as caught:
        wait(platform)
    assert type(caught.value) is APIError
    assert platform.looked == 2


@both
def test_outage_to_the_end_is_the_cause_of_the_error(wait: Wait) -> None:
    platform = Platform(0)
    with pytest.raises(ActivityTimeoutError) as caught:
        wait(platform, within=10)
    assert isinstance(caught.value.__cause__, httpx.ConnectError)
    assert (caught.value.state, caught.value.activity) == (None, None)


@both
def test_activity_that_is_not_there_is_told_at_once(wait: Wait) -> None:
    platform = Platform(404)
    with pytest.raises(NotFoundError):
        wait(platform)
    assert platform.looked == 1


@both
def test_state_that_nobody_knows_is_waited_out(wait: Wait) -> None:
    platform = Platform("juggling", "completed")
    assert wait(platform).id == ID


@both
def test_changes_are_told_once_each(wait: Wait) -> None:
    platform = Platform("scheduled", "scheduled", "waiting", "completed")
    seen: list[Any] = []
    wait(platform, on_change=lambda activity: seen.append(activity.state.name.value))
    assert seen == ["scheduled", "waiting", "completed"]


def test_claim_in_the_sandbox_is_followed_to_its_end() -> None:
    from pokitdok_sandbox import Sandbox  # noqa: PLC0415 - needs its extra

    clock = HeldClock().clock()
    with (
        Sandbox(speed=1_000_000) as box,
        connect(box.client_id, box.client_secret, base_url=box.url, clock=clock) as client,
    ):
        claim = {
            "trading_partner_id": "MOCKPAYER",
            "billing_provider": {"npi": "1234567893", "tax_id": "123456789", "organization_name": "Harbor"},
            "subscriber": {
                "first_name": "Nora",
                "last_name": "Quill",
                "member_id": "W000777001",
                "gender": "female",
                "birth_date": "1970-01-25",
                "address": {"address_lines": ["1 A St"], "city": "Charleston", "state": "SC", "zipcode": "29401"},
            },
            "claim": {
                "total_charge_amount": "60",
                "service_lines": [
                    {
                        "procedure_code": "99213",
                        "charge_amount": "60",
                        "unit_count": "1",
                        "diagnosis_codes": ["J10.1"],
                        "service_date": "2026-11-02",
                    }
                ],
            },
            "transaction_code": "chargeable",
        }
        submitted = submit_claim.sync(client=client, body=ClaimRequest.from_dict(claim)).data
        assert submitted
        assert isinstance(submitted.id, str)
        ended = wait_for_activity(submitted.id, client=client, within=20)
        assert ended.state
        assert ended.state.name == "completed"
