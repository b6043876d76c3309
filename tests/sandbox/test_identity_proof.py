"""Identity proof: who is known, what is asked, the verdict, the lock and the report."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.sandbox.conftest import Clock

PROOF = "/api/v4/identity/proof"
GENERATE, SCORE = f"{PROOF}/questions/generate/", f"{PROOF}/questions/score/"
VALID, REPORT = f"{PROOF}/valid/", f"{PROOF}/report"
RIGHT = (1, 2, 5)


@pytest.fixture
def person() -> dict[str, Any]:
    return {
        "first_name": "Tamsin",
        "last_name": "Quill",
        "ssn": "000-12-0001",
        "birth_date": {"year": 1984, "month": 6, "day": 17},
        "ip_address": "192.0.2.1",
    }


async def begun(api: httpx.AsyncClient, person: dict[str, Any]) -> dict[str, Any]:
    response = await api.post(GENERATE, json=person)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()["data"]
    return answer


async def answered(api: httpx.AsyncClient, questionnaire_id: str, *answers: int) -> dict[str, Any]:
    for question_id, answer in enumerate(answers, 1):
        body = {"questionnaire_id": questionnaire_id, "question_id": question_id, "answer": answer}
        response = await api.post(SCORE, json=body)
        assert response.status_code == 200, response.text
    last: dict[str, Any] = response.json()["data"]
    return last


@pytest.mark.parametrize(
    ("change", "valid", "verifiable"),
    [
        ({}, True, True),
        ({"ssn": "0001"}, True, True),
        ({"ssn": "", "drivers_license_number": "sbx120001"}, True, True),
        ({"ssn": "000120009"}, False, False),
        ({"first_name": "Nobody"}, False, False),
        (
            {
                "first_name": "Ines",
                "last_name": "Larkspur",
                "ssn": "0004",
                "birth_date": {"year": 1990, "month": 2, "day": 28},
            },
            True,
            False,
        ),
    ],
)
async def test_a_person_is_unknown_known_or_verifiable(
    api: httpx.AsyncClient, person: dict[str, Any], change: dict[str, Any], valid: bool, verifiable: bool
) -> None:
    verdict = {"is_valid": valid, "is_verifiable": verifiable}
    assert (await api.post(VALID, json=person | change)).json()["data"] == verdict
    answer = await begun(api, person | change)

    assert answer.items() >= verdict.items()
    assert ("question" in answer) is ("questionnaire_id" in answer) is verifiable


@pytest.mark.parametrize("url", [VALID, GENERATE])
@pytest.mark.parametrize(
    ("missing", "fields"),
    [
        ("last_name", {"last_name"}),
        ("ssn", {"ssn", "drivers_license_number"}),
    ],
)
async def test_too_little_input_is_a_400_and_no_422(
    api: httpx.AsyncClient, person: dict[str, Any], url: str, missing: str, fields: set[str]
) -> None:
    del person[missing]
    response = await api.post(url, json=person)

    assert response.status_code == 400
    assert response.json()["data"]["errors"]["validation"].keys() == fields


async def test_a_birth_date_in_part_is_bad_input_too(api: httpx.AsyncClient, person: dict[str, Any]) -> None:
    del person["birth_date"]["day"]
    response = await api.post(VALID, json=person)

    assert response.status_code == 400
    assert response.json()["data"]["errors"]["validation"] == {"birth_date": {"day": ["This field is required."]}}


async def test_right_answers_throughout_are_a_success(api: httpx.AsyncClient, person: dict[str, Any]) -> None:
    first = await begun(api, person)
    assert first["question"]["id"] == 1
    assert [answer["id"] for answer in first["question"]["answers"]] == [1, 2, 3, 4, 5]
    pending = await answered(api, first["questionnaire_id"], RIGHT[0])
    assert (pending["status"], pending["question"]["id"]) == ("PENDING", 2)
    body = {"questionnaire_id": first["questionnaire_id"], "question_id": 2, "answer": RIGHT[1]}
    await api.post(SCORE, json=body)
    last = (await api.post(SCORE, json=body | {"question_id": 3, "answer": RIGHT[2]})).json()["data"]

    assert last == {"status": "SUCCESS", "customer_notified": False}


async def test_a_wrong_answer_is_a_failure_that_names_the_next_attempt(
    api: httpx.AsyncClient, person: dict[str, Any]
) -> None:
    first = await begun(api, person)
    last = await answered(api, first["questionnaire_id"], 4, RIGHT[1], RIGHT[2])

    assert last["status"] == "FAILURE"
    assert last["next_attempt"] == "2023-11-15T10:13:20.250000"


async def test_a_person_is_locked_for_twelve_hours_after_a_questionnaire(
    api: httpx.AsyncClient, clock: Clock, person: dict[str, Any]
) -> None:
    await begun(api, person)
    refused = await api.post(GENERATE, json=person)
    assert refused.status_code == 403
    assert list(refused.json()["data"]["errors"]) == ["general"]
    assert (await api.post(VALID, json=person)).status_code == 200
    clock.now += 12 * 3600
    token = await api.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=credentials())
    api.headers["authorization"] = f"Bearer {token.json()['access_token']}"

    assert (await begun(api, person))["is_verifiable"] is True


def credentials() -> tuple[str, str]:
    return "sandbox-client-id", "sandbox-client-secret"


async def test_a_questionnaire_ends_after_25_minutes_and_after_its_verdict(
    api: httpx.AsyncClient, clock: Clock, person: dict[str, Any]
) -> None:
    sheet = (await begun(api, person))["questionnaire_id"]
    wrong_question = {"questionnaire_id": sheet, "question_id": 2, "answer": 1}
    late = {"questionnaire_id": sheet, "question_id": 1, "answer": 1}
    out_of_turn = await api.post(SCORE, json=wrong_question)
    clock.now += 25 * 60 + 1
    too_late = await api.post(SCORE, json=late)
    nobody = await api.post(SCORE, json=late | {"questionnaire_id": "00000000-0000-0000-0000-000000000000"})

    assert [response.status_code for response in (out_of_turn, too_late, nobody)] == [422, 422, 422]
    assert list(out_of_turn.json()["data"]["errors"]["validation"]) == ["question_id"]
    assert list(too_late.json()["data"]["errors"]["validation"]) == ["questionnaire_id"]


async def test_the_report_names_fields_and_calls_but_no_values(
    api: httpx.AsyncClient, clock: Clock, person: dict[str, Any]
) -> None:
    sheet = (await begun(api, person))["questionnaire_id"]
    clock.now += 30
    await answered(api, sheet, *RIGHT)
    response = await api.get(REPORT)
    (entry,) = response.json()["data"]

    assert entry["start_dt"] == "2023-11-14T22:13:20.250000"
    assert entry["end_dt"] == "2023-11-14T22:13:50.250000"
    assert (entry["questionnaire_id"], entry["verification_result"]) == (sheet, "SUCCESS")
    assert entry["id_fields"] == ["birth_date", "first_name", "last_name", "ssn"]
    assert (len(entry["activities"]), entry["n_questions"]) == (4, 3)
    assert "Quill" not in response.text
    assert person["ssn"] not in response.text


async def test_the_report_covers_a_day_unless_told_otherwise(
    api: httpx.AsyncClient, clock: Clock, person: dict[str, Any]
) -> None:
    sheet = (await begun(api, person))["questionnaire_id"]
    activity_id = (await api.get(REPORT)).json()["data"][0]["activities"][0]["activity_id"]

    async def reported(**query: str) -> int:
        return len((await api.get(REPORT, params=query)).json()["data"])

    assert await reported(end_dt="2023-11-14T22:13:20") == 0
    assert await reported(start_dt="2023-11-14", end_dt="2023-11-15") == 1
    assert await reported(start_dt="2023-11-15T00:00:00Z") == 0
    assert await reported(start_dt="2030-01-01", questionnaire_id=sheet) == 1
    assert await reported(activity_id=activity_id) == 1
    assert await reported(activity_id="0" * 24) == 0
    assert (await api.get(REPORT, params={"start_dt": "yesterday"})).status_code == 422


async def test_as_csv_the_report_is_one_text(api: httpx.AsyncClient, person: dict[str, Any]) -> None:
    sheet = (await begun(api, person))["questionnaire_id"]
    text = (await api.get(REPORT, params={"csv": "true"})).json()["data"]
    (row,) = csv.DictReader(io.StringIO(text))

    assert (row["questionnaire_id"], row["end_dt"], row["n_questions"]) == (sheet, "", "1")
    assert (row["generate_status"], row["is_verifiable"]) == ("200", "True")
    assert row["id_fields"] == "birth_date,first_name,last_name,ssn"
