"""The likelihood to pay: the score of one patient, and of many in an activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pokitdok_sandbox.hco import score

if TYPE_CHECKING:
    import httpx

ONE, MANY = "/api/v4/hco/consumer/", "/api/v4/hco/consumer/batch"


@pytest.fixture
def patient() -> dict[str, Any]:
    return {"address": {"zipcode": "29412"}, "patient_responsibility": 500.0}


async def test_a_score_lies_inside_its_interval(api: httpx.AsyncClient, patient: dict[str, Any]) -> None:
    data = (await api.post(ONE, json=patient)).json()["data"]
    low, high = data["credible_interval_95_percent"]

    assert 0 <= low < data["hco_score"] < high <= 100


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"patient_responsibility": 50}, {"patient_responsibility": 5000}),
        ({"fico": 800}, {"fico": 500}),
        ({"debt_to_income_ratio": 0.1}, {"debt_to_income_ratio": 0.9}),
        ({"has_hsa": True}, {"has_hsa": False}),
    ],
)
def test_money_matters(patient: dict[str, Any], better: dict[str, Any], worse: dict[str, Any]) -> None:
    assert score(patient | better)["hco_score"] > score(patient | worse)["hco_score"]


def test_health_sex_and_race_do_not_matter(patient: dict[str, Any]) -> None:
    more = {"gender": "female", "race": "other", "smoker": True, "has_diabetes": True, "bmi": 30.5, "age": 70}

    assert score(patient | more) == score(patient)


@pytest.mark.parametrize("fico", [10**400, -(10**400)])
def test_a_score_stays_between_0_and_100(patient: dict[str, Any], fico: int) -> None:
    assert 0 <= score(patient | {"fico": fico, "patient_responsibility": 10**400})["hco_score"] <= 100


async def test_a_patient_without_a_postal_code_is_refused_by_place(
    api: httpx.AsyncClient, patient: dict[str, Any]
) -> None:
    nowhere = patient | {"address": {"city": "Charleston"}}
    one = await api.post(ONE, json=nowhere)
    many = await api.post(MANY, json={"data": [patient, nowhere], "callback_url": "https://app.example.org/"})

    message = {"address": {"zipcode": ["This field is required."]}}
    assert (one.status_code, many.status_code) == (422, 422)
    assert one.json()["data"]["errors"]["validation"] == message
    assert many.json()["data"]["errors"]["validation"] == {"data": {"1": message}}


async def test_a_batch_is_an_activity_that_ends_with_the_scores(
    api: httpx.AsyncClient, patient: dict[str, Any]
) -> None:
    batch = {"data": [patient, patient | {"fico": 800}], "callback_url": "https://app.example.org/"}
    activity = (await api.post(MANY, json=batch)).json()["data"]
    after = (await api.get(f"/api/v4/activities/{activity['id']}")).json()["data"]

    assert activity["state"]["name"] == "processing"
    assert "result" not in activity
    assert after["state"]["name"] == "completed"
    assert after["units_of_work"] == 2
    assert after["result"]["data"] == [score(one) for one in batch["data"]]


async def test_a_batch_needs_somebody_to_call_back(api: httpx.AsyncClient, patient: dict[str, Any]) -> None:
    response = await api.post(MANY, json={"data": [patient]})

    assert response.status_code == 422
    assert list(response.json()["data"]["errors"]["validation"]) == ["callback_url"]
