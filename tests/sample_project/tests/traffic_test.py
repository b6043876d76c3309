"""What the desk sends, held against the contract, whoever answers."""

import httpx
from front_desk import FrontDesk

from pokitdok_ext import connect


def test_requests_fit_the_contract(visit, pokitdok_contract):
    findings = []

    def insurer(request: httpx.Request) -> httpx.Response:
        media_type = request.headers["content-type"]
        findings.extend(
            pokitdok_contract.check_request(
                request.method, str(request.url), media_type=media_type, body=request.content
            )
        )
        return httpx.Response(200, json={"meta": {}, "data": {"id": "5317f51527a27620f2ec7533"}})

    with connect(token="t", base_url="https://insurer.example.com", transport=httpx.MockTransport(insurer)) as client:
        FrontDesk(client).bill(visit)
    assert findings == []
