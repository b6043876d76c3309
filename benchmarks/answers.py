"""Eligibility answers to read: one of the sandbox, and a large one made up here. Nobody in them exists."""

from __future__ import annotations

import copy
import json
from typing import Any

from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.models import EligibilityMember, EligibilityRequest, EligibilityRequestProvider
from pokitdok_ext import connect
from pokitdok_sandbox import Sandbox

_SERVICES = [
    ("health_benefit_plan_coverage", "30"),
    ("professional_physician_visit_office", "98"),
    ("hospital_inpatient", "48"),
    ("emergency_services", "86"),
]
_MESSAGES = [
    "Prior approval is needed beyond the twelfth visit of a calendar year",
    "Counts toward the yearly limit of the family as well as of the member",
    "Waived if the member is admitted from the emergency room within one day",
    "Not for services of a provider outside of the network of the plan",
]


def sandbox_answer() -> dict[str, Any]:
    """What the sandbox says of a member, in the shape and size of the recordings."""
    member = EligibilityMember(first_name="Nora", last_name="Quill", id="W000777001")
    provider = EligibilityRequestProvider(npi="1234567893")
    body = EligibilityRequest(trading_partner_id="MOCKPAYER", member=member, provider=provider)
    with Sandbox(port=0) as sandbox, connect(sandbox.client_id, sandbox.client_secret, base_url=sandbox.url) as client:
        answer: dict[str, Any] = json.loads(check_eligibility.sync_detailed(client=client, body=body).content)
        return answer


def largest_answer(small: dict[str, Any]) -> dict[str, Any]:
    """The *small* one with the benefits of four kinds of service, and what a talkative payer says of each, 30 KB."""
    answer = copy.deepcopy(small)
    coverage = answer["data"]["coverage"]
    for name in ("coinsurance", "copay", "deductibles", "out_of_pocket"):
        coverage[name] = [
            {
                **copy.deepcopy(benefit),
                "service_types": [service],
                "service_type_codes": [code],
                "messages": [
                    {"message": _MESSAGES[(number + index) % len(_MESSAGES)]} for index in range(1 + number % 2)
                ],
            }
            for service, code in _SERVICES
            for number, benefit in enumerate(coverage[name])
        ]
    return answer
