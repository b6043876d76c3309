"""What the front desk does. Credentials come from the environment, as `connect()` has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx

from pokitdok_api import Client
from pokitdok_api.api.claims import submit_claim
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.models import ClaimRequest, EligibilityEnvelope, EligibilityRequest, EligibilityResponse
from pokitdok_ext import PokitDokError, connect
from pokitdok_ext.activities import ActivityError, ActivityTimeoutError, wait_for_activity
from pokitdok_ext.bulk import arun
from pokitdok_ext.callbacks import read_callback

PROVIDER = {"npi": "1234567893", "tax_id": "000000001", "organization_name": "Heron Clinic"}


@dataclass(frozen=True)
class Patient:
    """Somebody with a card of an insurer."""

    first_name: str
    last_name: str
    birth_date: str
    member_id: str
    insurer: str = "MOCKPAYER"


@dataclass(frozen=True)
class Visit:
    """What was done for a patient, and what it costs in dollars."""

    patient: Patient
    date: str
    procedure: str
    diagnosis: str
    charge: float


class MaybeFiledError(Exception):
    """Nobody answered: the claim may have been filed. A person looks before it is sent again."""


class FrontDesk:
    """One desk, with one client for all it asks."""

    def __init__(self, client: Client | None = None, callback_url: str | None = None) -> None:
        self.client = client or connect()
        self.callback_url = callback_url
        self.outcomes: dict[str, str] = {}

    def is_covered(self, patient: Patient) -> bool | None:
        """Whether the plan is active; None if the insurer does not know the patient."""
        return _covered(check_eligibility.sync(client=self.client, body=_question(patient)).data)

    async def covered(self, patients: Iterable[Patient]) -> Mapping[str, bool | None]:
        """Member ids and whether they are covered, for a whole day's patients; those that failed are left out."""
        return {
            outcome.item.member_id: _covered(outcome.result().data)
            async for outcome in arun(self._ask, patients)
            if outcome.error is None
        }

    def bill(self, visit: Visit) -> str:
        """File a claim and return its id."""
        try:
            return submit_claim.sync(client=self.client, body=self._claim(visit)).data.id
        except httpx.TransportError as error:
            raise MaybeFiledError(f"visit of {visit.date}: {type(error).__name__}") from error

    def outcome(self, claim_id: str, within: float = 1800) -> str:
        """What came of a claim: "accepted", "refused", or "open" if it takes longer than *within* seconds."""
        try:
            wait_for_activity(claim_id, client=self.client, within=within)
        except ActivityTimeoutError:
            return "open"
        except ActivityError:
            return "refused"
        return "accepted"

    def receive(self, body: bytes) -> int:
        """Take a callback and return the HTTP status to answer with."""
        try:
            callback = read_callback({}, body)
        except PokitDokError:
            return 400
        self.outcomes[callback.activity_id] = callback.state
        return 204

    async def _ask(self, patient: Patient) -> EligibilityEnvelope:
        return await check_eligibility.asyncio(client=self.client, body=_question(patient))

    def _claim(self, visit: Visit) -> ClaimRequest:
        line = {
            "procedure_code": visit.procedure,
            "charge_amount": visit.charge,
            "unit_count": 1.0,
            "diagnosis_codes": [visit.diagnosis],
            "service_date": visit.date,
        }
        patient = visit.patient
        document = {
            "trading_partner_id": patient.insurer,
            "transaction_code": "chargeable",
            "billing_provider": PROVIDER,
            "subscriber": {
                "first_name": patient.first_name,
                "last_name": patient.last_name,
                "birth_date": patient.birth_date,
                "member_id": patient.member_id,
            },
            "claim": {"total_charge_amount": visit.charge, "service_lines": [line]},
        }
        return ClaimRequest.from_dict(document | ({"callback_url": self.callback_url} if self.callback_url else {}))


def _question(patient: Patient) -> EligibilityRequest:
    member = {
        "id": patient.member_id,
        "first_name": patient.first_name,
        "last_name": patient.last_name,
        "birth_date": patient.birth_date,
    }
    return EligibilityRequest.from_dict(
        {"trading_partner_id": patient.insurer, "member": member, "provider": {"npi": PROVIDER["npi"]}}
    )


def _covered(answer: EligibilityResponse) -> bool | None:
    return answer.coverage.active if answer.valid_request else None
