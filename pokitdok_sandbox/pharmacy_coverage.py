"""Real-time drug coverage: what a drug costs a cardholder. Drugs and prices are those of data/pharmacy.yaml."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import REQUIRED, Answer, Call, Handler, invalid
from pokitdok_sandbox.checks import is_npi
from pokitdok_sandbox.pharmacy import drug_by_ndc, money
from pokitdok_sandbox.samples import sample

if TYPE_CHECKING:
    from collections.abc import Mapping

DAYS = 30
"""Units that the price of a drug stands for."""
COPAYS = {1: Decimal("4.00"), 3: Decimal("35.00")}
COINSURANCE = Decimal("0.4")
"""Part of the price that a member pays in a tier without a copay; invented."""
NEEDED = {"prescriber": ("npi", "last_name"), "insurance": ("cardholder_id", "bin_number", "pcn")}
"""What the RAML file of the operation requires beyond the contract, which shares these parts with the widget."""
MOST_DRUGS = 4
MOST_UNITS = 100_000


def check_pharmacy_coverage(call: Call) -> Answer:
    """Answer the cost of each drug, or why there is none: the drug is not known here, the cardholder not covered."""
    body: dict[str, Any] = call.body
    wrong: dict[str, Any] = {}
    if not is_npi(body["pharmacy_npi"]):
        wrong["pharmacy_npi"] = ["Not a valid NPI."]
    for holder, names in NEEDED.items():
        missing = {name: [REQUIRED] for name in names if name not in body[holder]}
        if missing:
            wrong[holder] = [missing]  # documented: one level deeper than elsewhere
    if "prescriber" not in wrong and not is_npi(body["prescriber"]["npi"]):
        wrong["prescriber"] = [{"npi": ["Not a valid NPI."]}]
    if not 1 <= len(body["drugs"]) <= MOST_DRUGS:
        wrong["drugs"] = [f"Ask about one to {MOST_DRUGS} drugs."]
    elif not all(0 < drug["quantity_dispensed"] <= MOST_UNITS for drug in body["drugs"]):
        wrong["drugs"] = [{"quantity_dispensed": ["Not in the allowed range."]}]
    if wrong:
        raise invalid(wrong)
    covered = _is_covered(body["insurance"]["cardholder_id"])
    return Answer({"drugs": [_answer(call, drug, covered=covered) for drug in body["drugs"]]})


def _is_covered(cardholder_id: str) -> bool:
    members: list[dict[str, Any]] = sample("eligibility")["members"]
    found = next((member for member in members if member["id"] == cardholder_id), {})
    return bool(found.get("outcome", "standard") == "standard")


def _answer(call: Call, asked: Mapping[str, Any], *, covered: bool) -> dict[str, Any]:
    quantity = Decimal(str(asked["quantity_dispensed"]))
    answer: dict[str, Any] = {"ndc": asked["ndc"], "quantity_dispensed": str(asked["quantity_dispensed"])}
    drug = drug_by_ndc(asked["ndc"])
    if drug is None or not covered:
        return answer | {"rejections": ["This product is not covered." if covered else "This patient is not covered."]}
    price = Decimal(str(drug["price"])) / DAYS * quantity
    answer["prescription_service_reference_number"] = f"{call.world.random.randrange(10**7):07d}"
    if drug["tier"] in COPAYS:
        own = min(COPAYS[drug["tier"]], price)
        answer |= {"patient_pay_amount": _shown(own), "amount_of_copay": _shown(own)}
    else:
        own = price * COINSURANCE
        answer |= {"patient_pay_amount": _shown(own), "amount_of_coinsurance": [_shown(own)]}
    if drug.get("prior_auth"):
        answer["additional_information"] = [
            {"qualifier": "Prior authorization", "information": "Needed before the drug is dispensed."}
        ]
    return answer


def _shown(amount: Decimal) -> dict[str, str]:
    written = money(amount)
    return written | {"display": f"${written['amount']}"}


HANDLERS = {"check_pharmacy_coverage": Handler(check_pharmacy_coverage, activity="pharmacy")}
