"""X12 instead of JSON: requests that are read, answers that are written, what is refused with the digest of a 999."""

from __future__ import annotations

import logging
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyx12.params import ParamsBase
from pyx12.x12n_document import x12n_document

from pokitdok_sandbox.contract import ACTIVITY_X12_JSON, FULL_X12_JSON, X12, X12_JSON
from pokitdok_sandbox.x12 import read, write
from pokitdok_sandbox.x12_claims import claims
from pokitdok_sandbox.x12_enrollments import enrollments

if TYPE_CHECKING:
    import httpx

SAMPLES = Path(__file__).parent / "x12"
CALLS = [
    ("eligibility/", "eligibility.270", "271"),
    ("claims/", "claims.837", "999"),
    ("claims/status", "status.276", "277"),
    ("authorizations/", "review.278", "278"),
    ("referrals/", "review.278", "278"),
]


def sample(name: str) -> str:
    return (SAMPLES / name).read_text()


async def send(api: httpx.AsyncClient, path: str, text: str, accept: str = "*/*") -> httpx.Response:
    return await api.post(f"/api/v4/{path}", content=text, headers={"content-type": X12, "accept": accept})


def follows_its_guide(text: str) -> bool:
    """Tell whether another program's guide finds nothing wrong with an interchange."""
    logging.getLogger("pyx12").disabled = True
    return bool(x12n_document(ParamsBase(), StringIO(text), StringIO(), None))


# ---------------------------------------------------------------- requests


async def test_a_270_is_answered_like_the_json_it_stands_for_and_only_its_first_question_counts(
    api: httpx.AsyncClient,
) -> None:
    response = await send(api, "eligibility/", sample("eligibility.270"))

    data = response.json()["data"]
    assert response.headers["x-sandbox-answer"] == "rules"
    assert data["subscriber"]["id"] == "W555000111"
    assert (data["subscriber"]["birth_date"], data["subscriber"]["gender"]) == ("1966-04-30", "female")
    activity = (await api.get(f"/api/v4/activities/{response.json()['meta']['activity_id']}")).json()["data"]
    assert activity["parameters"]["service_types"] == [
        "health_benefit_plan_coverage",
        "professional_physician_visit_office",
    ]


async def test_x12_comes_inside_json_too(api: httpx.AsyncClient) -> None:
    headers = {"content-type": X12_JSON}
    body = {"x12": sample("eligibility.270")}
    response = await api.post("/api/v4/eligibility/", json=body, headers=headers)

    assert response.json()["data"]["subscriber"]["id"] == "W555000111"


async def test_a_276_asks_about_the_claim_that_an_837_sent(api: httpx.AsyncClient, clock: Any) -> None:
    clock.now = 1_705_320_000.0
    form = {"grant_type": "client_credentials", "client_id": "sandbox-client-id"}
    token = await api.post("/oauth2/token", data=form | {"client_secret": "sandbox-client-secret"})
    api.headers["authorization"] = f"Bearer {token.json()['access_token']}"
    claim_id = (await send(api, "claims/", sample("claims.837"))).json()["data"]["id"]
    clock.now += 420
    question = sample("status.276").replace("AMT*T3*60~", "AMT*T3*85~")
    (told,) = (await send(api, "claims/status", question)).json()["data"]["patient"]["claims"]

    assert (told["tracking_id"], told["statuses"][0]["status_category_code"]) == (claim_id.upper(), "A2")


async def test_a_278_becomes_a_review(api: httpx.AsyncClient) -> None:
    data = (await send(api, "authorizations/", sample("review.278"))).json()["data"]

    assert data["event"]["category"] == "health_services_review"
    assert data["event"]["delivery"] == {"quantity": 2, "quantity_qualifier": "visits"}
    assert data["event"]["provider"]["organization_name"] == "LANTERN IMAGING"
    assert data["event"]["review"]["certification_number"] == "AUTH0001"


async def test_an_834_becomes_an_enrollment(api: httpx.AsyncClient) -> None:
    activity = (await send(api, "enrollment/", sample("enrollment.834"))).json()["data"]

    assert (activity["name"], activity["state"]["name"]) == ("enrollment", "scheduled")
    subscriber = activity["parameters"]["subscriber"]
    assert subscriber["benefits"][0]["benefit_type"] == "Health"
    assert activity["parameters"]["dependents"][0]["relationship"] == "spouse"


def test_every_claim_of_an_837_is_read_with_its_own_people() -> None:
    first, second = claims(read(sample("claims.837")).transactions)

    assert (first["subscriber"]["member_id"], "patient" in first) == ("W555000111", False)
    assert [line["diagnosis_codes"] for line in first["claim"]["service_lines"]] == [["4019", "25000"], ["25000"]]
    assert first["claim"]["service_lines"][1]["service_end_date"] == "2024-01-11"
    assert first["claim"]["rendering_provider"]["npi"] == "1234567893"
    assert second["subscriber"]["member_id"] == "W100000005"
    assert (second["patient"]["first_name"], second["patient"]["relationship"]) == ("JUNO", "child")
    assert (second["claim"]["claim_frequency"], second["claim"]["original_reference_number"]) == ("corrected", "SBX17")
    assert first["billing_provider"] == second["billing_provider"]


def test_every_subscriber_of_an_834_is_read_with_the_dependents() -> None:
    first, second = enrollments(read(sample("enrollment.834")).transactions)

    assert [one["first_name"] for one in first["dependents"]] == ["RAFE"]
    assert second["subscriber"]["maintenance_type"] == "Cancellation or Termination"
    assert second["subscriber"]["benefits"] == [
        {
            "maintenance_type": "Cancellation or Termination",
            "benefit_type": "Dental",
            "end_date": "2024-01-31",
        }
    ]


def test_other_separators_are_read_alike() -> None:
    text = sample("claims.837")
    other = text.replace("*", "|").replace(":", ">").replace("~", "!").replace("\n", "")

    assert claims(read(other).transactions) == claims(read(text).transactions)


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize(("path", "name", "code"), CALLS)
async def test_each_answer_is_written_in_x12_where_that_is_asked_for(
    api: httpx.AsyncClient, path: str, name: str, code: str
) -> None:
    bare = await send(api, path, sample(name), X12)
    inside = (await send(api, path, sample(name), X12_JSON)).json()
    parts = (await send(api, path, sample(name), FULL_X12_JSON)).json()["x12_segments"]

    interchange = read(bare.text)
    assert interchange.flaws == ()
    assert [transaction.code for transaction in interchange.transactions] == [code]
    assert read(inside["data"]["x12"]).transactions[0].code == code
    assert inside["meta"]["credits_billed"] == 1
    expected = [one.id for one in interchange.transactions[0].segments if one.id not in {"ST", "SE"}]
    assert [one["segment_id"] for one in parts] == expected
    assert [answer.headers["x-sandbox-evidence"] for answer in (bare,)] == ["documented"]


async def test_json_may_be_answered_in_x12(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    response = await api.post("/api/v4/eligibility/", json=check, headers={"accept": X12})

    segments = read(response.text).transactions[0].segments
    assert next(one for one in segments if one.id == "EB")[1] == "1"
    assert any(one.id == "EB" and one[1] == "C" and one[7] == "2387.25" for one in segments)


@pytest.mark.parametrize(
    ("member", "code", "action"), [("W100000003", "75", "C"), ("W100000004", "42", "R"), ("W100000006", "57", "C")]
)
async def test_a_rejection_is_an_aaa_segment(
    api: httpx.AsyncClient, check: dict[str, Any], member: str, code: str, action: str
) -> None:
    check["member"] = {"id": member}
    text = (await api.post("/api/v4/eligibility/", json=check, headers={"accept": X12})).text

    (first, *_) = [one for one in read(text).transactions[0].segments if one.id == "AAA"]
    assert (first[1], first[3], first[4]) == ("N", code, action)


async def test_a_dependent_has_a_level_of_its_own(api: httpx.AsyncClient, check: dict[str, Any]) -> None:
    check["member"] = {"id": "W100000005", "first_name": "Juno", "last_name": "Thistlewood", "birth_date": "2012-03-08"}
    text = (await api.post("/api/v4/eligibility/", json=check, headers={"accept": X12})).text

    levels = [one[3] for one in read(text).transactions[0].segments if one.id == "HL"]
    assert levels == ["20", "21", "22", "23"]


async def test_documented_names_are_used_for_elements_and_places_for_the_rest(api: httpx.AsyncClient) -> None:
    parts = (await send(api, "claims/status", sample("status.276"), FULL_X12_JSON)).json()["x12_segments"]

    status = next(one["data"] for one in parts if one["segment_id"] == "STC")
    assert (status["health_care_claim_status"], status["total_claim_charge_amount"]) == ("F1:107", "180")
    reviewed = (await send(api, "authorizations/", sample("review.278"), FULL_X12_JSON)).json()["x12_segments"]
    assert next(one["data"] for one in reviewed if one["segment_id"] == "HCR") == {"hcr01": "A1", "hcr02": "AUTH0001"}


async def test_an_answer_that_comes_later_stays_an_activity_in_json(
    api: httpx.AsyncClient, check: dict[str, Any]
) -> None:
    response = await api.post("/api/v4/eligibility/", json=check | {"async": True}, headers={"accept": X12})

    assert response.json()["data"]["state"]["name"] == "generating"


async def test_an_835_and_a_999_follow_the_guide_of_another_program(
    api: httpx.AsyncClient, claim: dict[str, Any], clock: Any
) -> None:
    taken = await api.post("/api/v4/claims/", json=claim, headers={"accept": X12})
    claim |= {"application_data": {"mock_claim_payment": True}}
    claim_id = (await api.post("/api/v4/claims/", json=claim)).json()["data"]["id"]
    clock.now += 450
    payment_id = (await api.get(f"/api/v4/activities/{claim_id}")).json()["data"]["payment_id"]
    paid = await api.get(f"/api/v4/payments/{payment_id}/data", headers={"accept": X12})

    assert follows_its_guide(taken.text)
    assert follows_its_guide(paid.text)
    assert not follows_its_guide(paid.text.replace("BPR*I*51.00*C", "BPR*I*much*C"))


async def test_an_activity_shows_the_x12_behind_it_to_who_asks_for_it(api: httpx.AsyncClient) -> None:
    text = sample("eligibility.270")
    activity_id = (await send(api, "eligibility/", text)).json()["meta"]["activity_id"]
    url = f"/api/v4/activities/{activity_id}"
    plain = (await api.get(url)).json()["data"]
    told = (await api.get(url, headers={"accept": ACTIVITY_X12_JSON})).json()["data"]

    assert told["x12_request"] == text
    assert read(told["x12_response"]).transactions[0].code == "271"
    assert {key: told[key] for key in plain} == plain
    assert "x12_request" not in plain


# ---------------------------------------------------------------- refusals


def broken(change: tuple[str, str]) -> str:
    old, new = change
    text = sample("eligibility.270")
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("change", "codes", "segment"),
    [
        (("SE*17*", "SE*16*"), ["4"], None),
        (("GE*1*17~", "GE*1*18~"), ["4"], None),
        (("IEA*1*000000017~", ""), ["023"], None),
        (("ISA*00*          *", "ISA*00*"), ["022"], None),
        (("ST*270*0017", "ST*276*0017"), ["6"], None),
        (("GS*HS*", "GS*HC*"), ["1"], None),
        (("NM1*PR*2*MOCK PAYER*****PI*MOCKPAYER~", "NM1*PR*2*MOCK PAYER~"), ["5"], ("NM1", 4, "9", "1")),
        (("NM1*1P*1*", "NM1*XX*1*"), ["5"], ("NM1", 17, None, "3")),
        (("DMG*D8*19660430*F", "DMG*D8*19661330*F"), ["5"], ("DMG", 10, "2", "8")),
        (("DMG*D8*19660430*F", "DMG*D8*1966W176*F"), ["5"], ("DMG", 10, "2", "8")),
    ],
)
async def test_what_breaks_the_rules_of_x12_is_refused_with_the_digest_of_a_999_and_not_billed(
    api: httpx.AsyncClient, change: tuple[str, str], codes: list[str], segment: tuple[str, int, str, str] | None
) -> None:
    response = await send(api, "eligibility/", broken(change))

    assert response.status_code == 422
    parsing = response.json()["data"]["errors"]["parsing"]
    assert parsing["transaction_set_acknowledgment_code"] == "R"
    assert parsing["transaction_set_syntax_error_codes"] == codes
    assert response.json()["meta"]["credits_billed"] == 0
    assert "MOSS" not in response.text
    if segment is None:
        assert "segment_errors" not in parsing
    else:
        (error,) = parsing["segment_errors"]
        assert (error["segment_id_code"], error["position_in_transaction_set"]) == segment[:2]
        note = error.get("notes", [{}])[0]
        assert note.get("position_in_segment") == segment[2]
        assert note.get("data_element_syntax_error_code", error["syntax_error_code"]) == segment[3]


async def test_an_unknown_partner_in_x12_is_an_error_of_the_query(api: httpx.AsyncClient) -> None:
    response = await send(api, "eligibility/", broken(("PI*MOCKPAYER", "PI*NOBODY")))

    assert (response.status_code, list(response.json()["data"]["errors"])) == (422, ["query"])


@pytest.mark.parametrize("cut", range(0, 700, 23))
async def test_a_torn_interchange_is_refused_wherever_it_was_torn(api: httpx.AsyncClient, cut: int) -> None:
    text = sample("eligibility.270")
    response = await send(api, "eligibility/", text[: len(text) - 4 - cut])

    assert response.status_code == 422


def test_nothing_sent_can_break_out_of_its_element() -> None:
    from pokitdok_sandbox.x12 import clean  # noqa: PLC0415 - the one function that this is about

    text = write("999", [["AK1", clean("A*B~C:D^E\n")]], moment=0, control=1, sender="S", receiver="R")
    assert [one.id for one in read(text).transactions[0].segments] == ["ST", "AK1", "SE"]
    assert read(text).flaws == ()
