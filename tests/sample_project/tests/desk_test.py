"""The desk against the sandbox: no network, no waiting, each test with a sandbox of its own."""

from dataclasses import replace

import httpx
import pytest
from conftest import JORAH, NOBODY, TAMSIN
from front_desk import FrontDesk, MaybeFiledError

from pokitdok_ext import InvalidClientError, PaymentRequiredError


@pytest.mark.parametrize(("patient", "covered"), [(TAMSIN, True), (JORAH, False), (NOBODY, None)])
def test_coverage(desk, patient, covered):
    assert desk.is_covered(patient) is covered


async def test_a_whole_day_is_asked_at_once(desk, pokitdok_sandbox):
    assert await desk.covered([TAMSIN, JORAH, NOBODY]) == {
        "W100000001": True,
        "W100000002": False,
        "W100000003": None,
    }
    assert pokitdok_sandbox.state()["token_requests"] == 1


def test_claim_is_accepted_after_minutes_that_nobody_waits(desk, visit, pokitdok_time):
    begun = pokitdok_time.now
    claim = desk.bill(visit)
    assert desk.outcome(claim, within=60) == "open"
    assert desk.outcome(claim) == "accepted"
    assert (pokitdok_time.now - begun).total_seconds() > 400


def test_claim_goes_on_while_time_passes(desk, visit, pokitdok_time):
    claim = desk.bill(visit)
    pokitdok_time.forward(3600)
    assert desk.outcome(claim, within=0) == "accepted"


def test_claim_with_a_wrong_birth_date_is_refused(desk, visit):
    """The mock insurer refuses this member id, as docs/scenarios.md of the sandbox has it."""
    refused = replace(visit, patient=replace(TAMSIN, member_id="00009999"))
    assert desk.outcome(desk.bill(refused)) == "refused"


def test_outage_is_waited_out(desk, pokitdok_sandbox, pokitdok_time):
    pokitdok_sandbox.faults.order("unavailable", count=2, operations=["check_eligibility"])
    assert desk.is_covered(TAMSIN)
    assert len(pokitdok_time.slept) == 2


def test_claim_that_may_have_been_filed_is_not_filed_again(desk, visit, pokitdok_sandbox):
    pokitdok_sandbox.faults.order("timeout_after", operations=["submit_claim"])
    with pytest.raises(MaybeFiledError):
        desk.bill(visit)
    assert pokitdok_sandbox.state()["executed"]["submit_claim"] == 1


def test_token_is_renewed_when_its_hour_is_over(desk, pokitdok_sandbox, pokitdok_time):
    desk.is_covered(TAMSIN)
    pokitdok_time.forward(3600)
    desk.is_covered(TAMSIN)
    assert pokitdok_sandbox.state()["token_requests"] == 2


@pytest.mark.pokitdok(application_mode="production", credits=1)
def test_credits_run_out(desk):
    desk.is_covered(TAMSIN)
    with pytest.raises(PaymentRequiredError):
        desk.is_covered(TAMSIN)


def test_result_of_a_claim_is_called_back(pokitdok_client, pokitdok_sandbox, pokitdok_time, visit):
    desk = FrontDesk(pokitdok_client, callback_url="https://desk.example.com/claims")
    claim = desk.bill(visit)
    assert pokitdok_sandbox.callbacks() == []
    pokitdok_time.forward(600)
    [callback] = pokitdok_sandbox.callbacks()
    assert desk.receive(callback.body) == 204
    assert desk.outcomes == {claim: "completed"}


def test_credentials_that_are_refused(pokitdok_token_server):
    pokitdok_token_server.then(httpx.Response(400, json={"error": "invalid_client"}))
    with pytest.raises(InvalidClientError):
        FrontDesk().is_covered(TAMSIN)
