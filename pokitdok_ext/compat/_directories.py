"""The old client's named calls for directories, prices, scheduling and identity. `_client` sends them."""

from typing import Any
from warnings import warn

from ._paths import at, required, under
from ._transactions import Answer, Calls


class Directories(Calls):
    """Prices, plans, providers, pharmacies, codes."""

    icd_url = "/icd/convert/{0}"
    mpc_url = "/mpc/{0}"
    oop_insurance_estimate_url = "/oop/insurance-estimate"
    oop_insurance_price_url = "/oop/insurance-load-price"
    payers_url = "/payers/"
    pharmacy_drug_cost_url = "/pharmacy/drug/cost"
    pharmacy_formulary_url = "/pharmacy/formulary"
    pharmacy_network_url = "/pharmacy/network"
    pharmacy_plans_url = "/pharmacy/plans"
    plans_url = "/plans/"
    prices_cash_url = "/prices/cash"
    prices_insurance_url = "/prices/insurance"
    providers_url = "/providers/{0}"

    def cash_prices(self, **kwargs: Any) -> Answer:
        """What a procedure costs without insurance."""
        return self.get(self.prices_cash_url, **kwargs)

    def insurance_prices(self, **kwargs: Any) -> Answer:
        """What insurances pay for a procedure."""
        return self.get(self.prices_insurance_url, **kwargs)

    def oop_insurance_prices(self, request_data: Any) -> Answer:
        """Load the price of a procedure at a trading partner."""
        return self.post(self.oop_insurance_price_url, data=request_data)

    def oop_insurance_delete_price(self, load_price_uuid: str, request_data: Any = None) -> Answer:
        """Delete a loaded price."""
        return self.delete(under(self.oop_insurance_price_url, required(load_price_uuid)), data=request_data)

    def oop_insurance_estimate(self, request_data: Any) -> Answer:
        """Estimate what a member pays out of pocket."""
        return self.post(self.oop_insurance_estimate_url, data=request_data)

    def icd_convert(self, code: str) -> Answer:
        """The ICD-10 codes of an ICD-9 code."""
        return self.get(at(self.icd_url, required(code)))

    def mpc(self, code: str | None = None, **kwargs: Any) -> Answer:
        """One medical procedure by its code, or a search by `name=` or `description=`."""
        return self.get(at(self.mpc_url, code), **kwargs)

    def payers(self, **kwargs: Any) -> Answer:
        """The list of payers. Deprecated: `trading_partners()`."""
        warn("payers() is deprecated, as it was in the old client: call trading_partners()", DeprecationWarning, 2)
        return self.get(self.payers_url, **kwargs)

    def plans(self, **kwargs: Any) -> Answer:
        """Search insurance plans."""
        return self.get(self.plans_url, **kwargs)

    def providers(self, npi: str | None = None, **kwargs: Any) -> Answer:
        """One provider by NPI, or a search by name, place, specialty."""
        return self.get(at(self.providers_url, npi), **kwargs)

    def pharmacy_drug_cost(self, **kwargs: Any) -> Answer:
        """What a drug costs. Gone from the old client since 2016."""
        return self.get(self.pharmacy_drug_cost_url, **kwargs)

    def pharmacy_formulary(self, **kwargs: Any) -> Answer:
        """Whether a drug plan covers a drug."""
        return self.get(self.pharmacy_formulary_url, **kwargs)

    def pharmacy_network(self, npi: str | None = None, **kwargs: Any) -> Answer:
        """One pharmacy of a plan's network by NPI, or the network."""
        return self.get(under(self.pharmacy_network_url, npi), **kwargs)

    def pharmacy_plans(self, **kwargs: Any) -> Answer:
        """Search drug plans."""
        return self.get(self.pharmacy_plans_url, **kwargs)


class Scheduling(Calls):
    """Appointments and slots."""

    appointments_url = "/schedule/appointments/{0}"
    appointment_types_url = "/schedule/appointmenttypes/{0}"
    schedulers_url = "/schedule/schedulers/{0}"
    schedule_slots_url = "/schedule/slots/"

    def schedulers(self, scheduler_uuid: str | None = None) -> Answer:
        """One scheduling system, or the list of them."""
        return self.get(at(self.schedulers_url, scheduler_uuid))

    def appointment_types(self, appointment_type_uuid: str | None = None) -> Answer:
        """One appointment type, or the list of them."""
        return self.get(at(self.appointment_types_url, appointment_type_uuid))

    def schedule_slots(self, slots_request: Any) -> Answer:
        """Open a slot in a provider's schedule."""
        return self.post(self.schedule_slots_url, data=slots_request)

    def get_appointments(self, appointment_uuid: str | None = None, **kwargs: Any) -> Answer:
        """One appointment, or a search of appointments and open slots."""
        return self.get(at(self.appointments_url, appointment_uuid), **kwargs)

    def appointments(self, appointment_uuid: str | None = None, **kwargs: Any) -> Answer:
        """Deprecated: `get_appointments()`."""
        warn("appointments() is deprecated, as it was in the old client: get_appointments()", DeprecationWarning, 2)
        return self.get_appointments(appointment_uuid, **kwargs)

    def book_appointment(self, appointment_uuid: str, appointment_request: Any) -> Answer:
        """Book or change an appointment."""
        return self.put(at(self.appointments_url, required(appointment_uuid)), data=appointment_request)

    update_appointment = book_appointment

    def cancel_appointment(self, appointment_uuid: str) -> Answer:
        """Cancel an appointment; the platform answers without content, which gives {}."""
        return self.delete(at(self.appointments_url, required(appointment_uuid)))


class Identities(Calls):
    """Identities, their history, matching and proof."""

    identity_post_url = "/identity/"
    identity_put_url = "/identity/{0}"
    identity_get_url = "/identity"
    identity_match_url = "/identity/match"
    identity_history_url = "/identity/{0}/history"
    identity_proof_generate_url = "/identity/proof/questions/generate/"
    identity_proof_score_url = "/identity/proof/questions/score/"
    identity_proof_valid_url = "/identity/proof/valid/"

    def create_identity(self, identity_request: Any) -> Answer:
        """Create an identity."""
        return self.post(self.identity_post_url, data=identity_request)

    def update_identity(self, identity_uuid: str, identity_request: Any) -> Answer:
        """Change an identity."""
        return self.put(at(self.identity_put_url, required(identity_uuid)), data=identity_request)

    def get_identity(self, identity_uuid: str | None = None, **kwargs: Any) -> Answer:
        """One identity, or a search by its fields."""
        return self.get(under(self.identity_get_url, identity_uuid), **kwargs)

    def identity(self, identity_uuid: str | None = None, **kwargs: Any) -> Answer:
        """Deprecated: `get_identity()`."""
        warn("identity() is deprecated, as it was in the old client: call get_identity()", DeprecationWarning, 2)
        return self.get_identity(identity_uuid, **kwargs)

    def identity_history(self, identity_uuid: str, historical_version: int | str | None = None) -> Answer:
        """The versions of an identity, or one of them."""
        version = None if historical_version is None else required(historical_version)
        return self.get(under(at(self.identity_history_url, required(identity_uuid)), version))

    def identity_match(self, identity_match_data: Any) -> Answer:
        """Start a job that looks for matching identities."""
        return self.post(self.identity_match_url, data=identity_match_data)

    def validate_identity(self, identity_payload: Any) -> Answer:
        """Check whether an identity exists."""
        return self.post(self.identity_proof_valid_url, data=identity_payload)

    def create_proof_questionnaire(self, identity_payload: Any) -> Answer:
        """Get questions that prove an identity."""
        return self.post(self.identity_proof_generate_url, data=identity_payload)

    def answer_proof_question(self, answer_request: Any) -> Answer:
        """Answer one of these questions."""
        return self.post(self.identity_proof_score_url, data=answer_request)
