"""Claims conversion: an 837 file becomes claim requests with ICD-10 codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pokitdok_sandbox.x12 import read

if TYPE_CHECKING:
    import httpx

TWO = (Path(__file__).parent / "x12" / "claims.837").read_text()
ONE = f"{TWO.split('HL*3*1')[0]}SE*27*0021~\nGE*1*21~\nIEA*1*000000021~\n"


async def convert(api: httpx.AsyncClient, text: str) -> httpx.Response:
    return await api.post("/api/v4/claims/convert", files={"file": ("claims.837", text.encode())})


async def test_one_claim_is_answered_as_a_request_that_can_be_sent(api: httpx.AsyncClient) -> None:
    data = (await convert(api, ONE)).json()["data"]

    request = data["claims_request"]
    assert (request["trading_partner_id"], request["subscriber"]["member_id"]) == ("MOCKPAYER", "W555000111")
    assert (await api.post("/api/v4/claims/", json=request)).status_code == 200


async def test_the_first_icd_10_code_of_a_mapping_is_taken_and_the_mappings_are_told(api: httpx.AsyncClient) -> None:
    data = (await convert(api, ONE)).json()["data"]

    lines = data["claims_request"]["claim"]["service_lines"]
    assert [line["diagnosis_codes"] for line in lines] == [["I10", "E119"], ["E119"]]
    assert [one["source_code"]["value"] for one in data["diagnosis_mappings"]] == ["4019", "25000"]
    assert "HI*ABK:I10*ABF:E119~" in data["converted_edi"]
    assert data["converted_edi"].replace("HI*ABK:I10*ABF:E119~", "HI*BK:4019*BF:25000~") == ONE
    assert read(data["converted_edi"]).flaws == ()


async def test_a_code_without_a_mapping_stays(api: httpx.AsyncClient) -> None:
    data = (await convert(api, ONE.replace("BK:4019", "BK:99999"))).json()["data"]

    assert data["claims_request"]["claim"]["service_lines"][0]["diagnosis_codes"] == ["99999", "E119"]
    assert "BK:99999" in data["converted_edi"]


async def test_several_claims_start_an_activity_with_a_child_for_each(api: httpx.AsyncClient, clock: Any) -> None:
    activity = (await convert(api, TWO)).json()["data"]
    clock.now += 10
    children = (await api.get("/api/v4/activities/", params={"parent_id": activity["id"]})).json()["data"]

    members = [child["result"]["claims_request"]["subscriber"]["member_id"] for child in children]
    assert members == ["W555000111", "W100000005"]
    assert (await api.get(f"/api/v4/activities/{activity['id']}")).json()["data"]["state"]["name"] == "completed"


@pytest.mark.parametrize(
    ("text", "errors"),
    [("no x12", "validation"), (ONE.replace("SE*27*", "SE*2*"), "parsing"), (ONE.replace("CLM*", "CLX*"), "parsing")],
)
async def test_a_file_that_cannot_be_read_is_refused(api: httpx.AsyncClient, text: str, errors: str) -> None:
    response = await convert(api, text)

    assert (response.status_code, list(response.json()["data"]["errors"])) == (422, [errors])
