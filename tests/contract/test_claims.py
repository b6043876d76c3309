"""Claims as the contract promises them (X12 837), and the activities that follow them."""

from __future__ import annotations

from datetime import date

import pytest

from pokitdok_api import Client
from pokitdok_api.api.activities import get_activity, list_activities, update_activity
from pokitdok_api.api.claims import submit_claim
from pokitdok_api.errors import InvalidRequestError
from pokitdok_api.models import (
    ActivityStateName,
    ActivityTransition,
    ActivityTransitionRequest,
    Claim,
    ClaimActivityParameters,
    ClaimProvider,
    ClaimRequest,
    ClaimServiceLine,
    ClaimSubscriber,
    Gender,
    PostalAddress,
)

pytestmark = pytest.mark.vcr

CANCEL = ActivityTransitionRequest(transition="cancel")


def claim() -> ClaimRequest:
    address = PostalAddress(address_lines=["12 Harbor Lane"], city="Charleston", state="SC", zipcode="29401")
    line = ClaimServiceLine(
        procedure_code="99213",
        charge_amount=60.0,
        unit_count=1.0,
        diagnosis_codes=["J10.1"],
        service_date=date(2026, 10, 12),
    )
    return ClaimRequest(
        trading_partner_id="MOCKPAYER",
        billing_provider=ClaimProvider(
            npi="1234567893", first_name="Ada", last_name="Fenn", tax_id="123456789", address=address
        ),
        subscriber=ClaimSubscriber(
            first_name="Mira",
            last_name="Oakes",
            birth_date=date(1984, 6, 17),
            gender=Gender.FEMALE,
            member_id="W100000001",
            address=address,
        ),
        claim=Claim(total_charge_amount=60.0, service_lines=[line]),
    )


def test_claim_answers_at_once_with_its_activity(client: Client) -> None:
    activity = submit_claim.sync(client=client, body=claim()).data
    assert activity
    assert activity.name == "claims"
    assert activity.state
    assert activity.state.name is ActivityStateName.SCHEDULED
    assert activity.transition_path
    assert activity.transition_path[-1] is ActivityTransition.COMPLETE
    assert isinstance(activity.parameters, ClaimActivityParameters)
    assert activity.parameters.claim
    assert activity.parameters.claim.total_charge_amount == "60.0"  # numbers come back as text


def test_scheduled_claim_is_canceled_once(client: Client) -> None:
    activity = submit_claim.sync(client=client, body=claim()).data
    assert activity
    canceled = update_activity.sync(str(activity.id), client=client, body=CANCEL).data
    assert canceled
    assert canceled.state
    assert canceled.state.name is ActivityStateName.CANCELED
    assert canceled.history
    assert [entry.name for entry in canceled.history][-1] is ActivityStateName.CANCELED
    with pytest.raises(InvalidRequestError) as caught:
        update_activity.sync(str(activity.id), client=client, body=CANCEL)
    assert caught.value.status_code == 422


def test_activity_of_the_documentation_is_read(client: Client) -> None:
    envelope = get_activity.sync("5317f51527a27620f2ec7533", client=client)
    assert envelope.data
    assert envelope.data.id == "5317f51527a27620f2ec7533"
    assert envelope.meta
    assert envelope.meta.activity_id != envelope.data.id  # the read is an activity of its own


async def test_listing_is_paged_by_limit_and_offset(client: Client) -> None:
    submitted = (await submit_claim.asyncio(client=client, body=claim())).data
    assert submitted
    first = await list_activities.asyncio(client=client, limit=1)
    second = await list_activities.asyncio(client=client, limit=1, offset=1)
    assert first.data
    assert second.data
    assert len(first.data) == len(second.data) == 1
    assert first.data[0].id != second.data[0].id
    assert first.meta
    assert first.meta.next_
