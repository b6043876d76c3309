"""Eligibility as the contract promises it (X12 270/271)."""

from __future__ import annotations

from datetime import date

import pytest

from pokitdok_api import Client
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.errors import InvalidRequestError, ServerError, TradingPartnerRejectionError
from pokitdok_api.models import (
    CoverageLevel,
    EligibilityMember,
    EligibilityRejectReason,
    EligibilityRequest,
    EligibilityRequestProvider,
    ServiceType,
)

pytestmark = pytest.mark.vcr


def question(member_id: str, partner: str = "MOCKPAYER", **member: object) -> EligibilityRequest:
    return EligibilityRequest(
        trading_partner_id=partner,
        member=EligibilityMember.from_dict({"id": member_id, "first_name": "Mira", "last_name": "Oakes", **member}),
        provider=EligibilityRequestProvider(npi="1234567893", first_name="Ada", last_name="Fenn"),
        service_types=[ServiceType.HEALTH_BENEFIT_PLAN_COVERAGE],
    )


def test_active_member_has_benefits_in_money_and_dates(client: Client) -> None:
    answer = check_eligibility.sync(client=client, body=question("W100000001", birth_date="1984-06-17")).data
    assert answer
    assert answer.valid_request is True
    assert answer.coverage
    assert isinstance(answer.coverage.plan_begin_date, date)
    assert answer.coverage.deductibles
    deductible = answer.coverage.deductibles[0]
    assert deductible.coverage_level in set(CoverageLevel)
    assert deductible.benefit_amount
    assert float(deductible.benefit_amount.amount) > 0
    assert deductible.benefit_amount.currency == "USD"


async def test_answer_is_the_same_from_an_event_loop(client: Client) -> None:
    answer = (await check_eligibility.asyncio(client=client, body=question("W100000001"))).data
    assert answer
    assert answer.valid_request is True


def test_unknown_member_is_an_answer_and_no_error(client: Client) -> None:
    answer = check_eligibility.sync(client=client, body=question("W100000003")).data
    assert answer
    assert answer.valid_request is False
    assert isinstance(answer.reject_reason, EligibilityRejectReason)
    assert answer.reject_reason.is_known


def test_refused_npi_is_named_by_field(client: Client) -> None:
    body = question("W100000001")
    body.provider.npi = "1234567890"
    with pytest.raises(InvalidRequestError) as caught:
        check_eligibility.sync(client=client, body=body)
    assert caught.value.status_code == 422
    assert list(caught.value.messages) == ["provider.npi"]


def test_rejection_by_the_partner_carries_its_acknowledgment(client: Client) -> None:
    with pytest.raises(TradingPartnerRejectionError) as caught:
        check_eligibility.sync(client=client, body=question("W100000999"))
    assert caught.value.acknowledgment
    assert caught.value.acknowledgment.segment_errors


def test_partner_without_real_time_service_is_a_server_error(client: Client) -> None:
    with pytest.raises(ServerError) as caught:
        check_eligibility.sync(client=client, body=question("W100000001", partner="claims_only_mutual"))
    assert caught.value.body is not None
    assert caught.value.body.data.errors.general
    assert caught.value.activity_id
