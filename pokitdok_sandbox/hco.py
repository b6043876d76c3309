"""Likelihood to pay: a score for one patient, or for many in an activity. The formula is invented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import REQUIRED, Answer, Call, Handler, invalid
from pokitdok_sandbox.exchanges import keep_caller_data, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE = 62.0
COUNTED = ("fico", "debt_to_income_ratio", "has_hsa")


def measure_consumer_hco(call: Call) -> Answer:
    """Answer the score of one patient. With async, too: no other answer is in the contract."""
    _require_places({"": call.body})
    keep_caller_data(call)
    if call.body.get("async"):
        call.warnings.append("/async: this sandbox answers at once")
    result = score(call.body)
    call.record["outcomes"] = [{"result": result}]
    return Answer(result)


def measure_consumer_hco_batch(call: Call) -> Answer:
    """Answer an activity, whose result has the scores in the order of the request under data; that form is inferred."""
    _require_places({str(number): one for number, one in enumerate(call.body["data"])})
    keep_caller_data(call)
    shown = opened(call)
    call.record["units_of_work"] = len(call.body["data"])
    call.record["outcomes"] = [{"result": {"data": [score(one) for one in call.body["data"]]}}]
    return Answer(shown)


def score(patient: Mapping[str, Any]) -> dict[str, Any]:
    """Return the score, 0 to 100, and its interval, lower bound first.

    What is owed lowers it, credit score and savings account raise it, debts lower it. Nothing else counts here: not
    what the request says of health, sex or race.
    """
    value = BASE - _within(patient["patient_responsibility"], 0, 3000) / 100
    if "fico" in patient:
        value += _within(patient["fico"] - 650, -200, 200) / 8
    if "debt_to_income_ratio" in patient:
        value -= 20 * _within(patient["debt_to_income_ratio"], 0, 1)
    if patient.get("has_hsa"):
        value += 6
    value = _within(value, 0, 100)
    known = sum(name in patient for name in COUNTED)
    margin = 15.0 - 3 * known
    bounds = [round(_within(value + side * margin, 0, 100), 2) for side in (-1, 1)]
    return {"hco_score": round(value, 2), "credible_interval_95_percent": bounds}


def _require_places(patients: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse patients without a postal code, which is compulsory; 422, naming them."""
    message = {"address": {"zipcode": [REQUIRED]}}
    wrong = {number: message for number, one in patients.items() if not one["address"].get("zipcode")}
    if "" in wrong:
        raise invalid(message)
    if wrong:
        raise invalid({"data": wrong})


def _within(value: float, low: float, high: float) -> float:
    return float(max(low, min(high, value)))  # in this order: a whole number may be too large for a float


HANDLERS = {
    "measure_consumer_hco": Handler(measure_consumer_hco, activity="hco", billed=True),
    "measure_consumer_hco_batch": Handler(measure_consumer_hco_batch, activity="pokitdok_api", billed=True),
}
