"""Arrays of an answer are read when somebody first looks at them. Nobody notices, but for the time."""

from __future__ import annotations

import copy
import gc
import json
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import httpx
import pytest

import pokitdok_api._pending
from pokitdok_api import Client
from pokitdok_api.api.eligibility import check_eligibility
from pokitdok_api.errors import InvalidResponseError
from pokitdok_api.models import Copay, EligibilityCoverage, EligibilityEnvelope, EligibilityRequest
from pokitdok_api.types import UNSET

COPAYS = [{"copayment": {"amount": "25", "currency": "USD"}, "brand_new": 1}, {"coverage_level": "family"}]
ANSWER = {"meta": {}, "data": {"coverage": {"active": True, "copay": COPAYS, "unheard_of": "kept"}}}

QUESTION = EligibilityRequest.from_dict({"trading_partner_id": "MOCKPAYER"})


def client_for(document: Any) -> Client:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=document))
    return Client("http://127.0.0.1:1", transport=transport, async_transport=transport)


def ask(document: Any = ANSWER) -> EligibilityEnvelope:
    return check_eligibility.sync(client=client_for(document), body=QUESTION)


def coverage() -> Any:
    return ask().data.coverage  # type: ignore[union-attr]


def waiting(model: Any) -> dict[str, Any]:
    """What nobody has looked at."""
    return dict(model._pending)


def test_array_of_objects_is_made_at_the_first_look_and_kept() -> None:
    answer = coverage()
    assert waiting(answer) == {"copay": COPAYS}
    assert answer.active is True
    assert answer.deductibles is UNSET
    first = answer.copay
    assert [type(each) for each in first] == [Copay, Copay]
    assert answer.copay is first
    assert waiting(answer) == {}, "the decoded JSON is let go"


def test_from_dict_reads_at_once() -> None:
    """Its argument belongs to the caller, who may go on to change it."""
    source = copy.deepcopy(ANSWER)
    model = EligibilityEnvelope.from_dict(source)
    source["data"]["coverage"]["copay"].clear()  # type: ignore[index]
    assert model.to_dict() == ANSWER


@pytest.mark.parametrize(
    "again",
    [
        lambda model: model,
        copy.copy,
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        lambda model: attrs.evolve(model, active=True),
    ],
    ids=["itself", "copy", "deepcopy", "pickle", "evolve"],
)
def test_copy_made_before_the_first_look_has_everything(again: Any) -> None:
    made = again(coverage())
    assert made.active is True
    assert [each.to_dict() for each in made.copay] == COPAYS


def test_two_answers_are_equal_before_anybody_looks() -> None:
    assert ask() == ask() == EligibilityEnvelope.from_dict(ANSWER)
    other = copy.deepcopy(ANSWER)
    other["data"]["coverage"]["copay"][1]["coverage_level"] = "individual"  # type: ignore[index]
    assert ask() != ask(other)


def test_repr_is_that_of_what_was_read_at_once() -> None:
    assert repr(ask()) == repr(EligibilityEnvelope.from_dict(ANSWER))
    assert repr(coverage().copay) == repr(EligibilityCoverage.from_dict(ANSWER["data"]["coverage"]).copay)


def test_what_is_set_before_the_first_look_stays() -> None:
    answer = coverage()
    answer.copay = []
    assert answer.copay == []
    assert answer.to_dict()["copay"] == []


def test_name_that_is_no_field_is_no_attribute() -> None:
    answer = coverage()
    assert not hasattr(answer, "copays")
    with pytest.raises(AttributeError, match="'EligibilityCoverage' object has no attribute 'copays'"):
        _ = answer.copays


@pytest.mark.parametrize(
    ("copay", "place"),
    [
        ("Canary-1931", "EligibilityCoverage.copay: array expected, string found"),
        ([{}, "Canary-1931"], "EligibilityCoverage.copay\\[\\]: object expected, string found"),
        ([{"messages": [["Canary-1931"]]}], "Copay.messages\\[\\]: object expected, array found"),
        ([{"copayment": "Canary-1931"}], "Copay.copayment: object expected, string found"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_call(copay: Any, place: str) -> None:
    """Not later, where nobody expects it."""
    with pytest.raises(InvalidResponseError, match=place) as caught:
        ask({"data": {"coverage": {"copay": copay}}})
    assert "Canary" not in repr(caught.value)


def test_threads_that_look_at_the_same_time_get_the_same_object() -> None:
    for _ in range(20):
        answer, together = coverage(), threading.Barrier(8)

        def look(answer: Any = answer, together: threading.Barrier = together) -> int:
            together.wait()
            return id(answer.copay)

        with ThreadPoolExecutor(8) as pool:
            seen = {each.result() for each in [pool.submit(look) for _ in range(8)]}
        assert seen == {id(answer.copay)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_child_of_a_fork_can_look_while_a_thread_of_the_parent_is_at_it() -> None:
    answer, held, over = coverage(), threading.Event(), threading.Event()

    def hold() -> None:
        with pokitdok_api._pending._looking:
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if len(answer.copay) == 2 else 1)
    over.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


async def test_call_leaves_nothing_for_the_garbage_collector() -> None:
    """Many answers a second would wait for it, with all that they hold."""
    client = client_for(ANSWER)
    for _ in range(2):
        check_eligibility.sync(client=client, body=QUESTION)
        await check_eligibility.asyncio(client=client, body=QUESTION)
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            check_eligibility.sync(client=client, body=QUESTION)
            await check_eligibility.asyncio(client=client, body=QUESTION)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_body_is_decoded_by_what_the_client_was_given() -> None:
    bodies: list[bytes] = []

    def decode(body: bytes) -> Any:
        bodies.append(body)
        return json.loads(body)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=ANSWER))
    client = Client("http://127.0.0.1:1", transport=transport, decode=decode)
    assert check_eligibility.sync(client=client, body=QUESTION).to_dict() == ANSWER
    assert list(map(json.loads, bodies)) == [ANSWER]


def test_decoder_that_refuses_the_body_is_not_heard_further() -> None:
    def decode(body: bytes) -> Any:
        raise ValueError(body)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=b"Canary-1931"))
    client = Client("http://127.0.0.1:1", transport=transport, decode=decode)
    with pytest.raises(InvalidResponseError, match="the body is not JSON") as caught:
        check_eligibility.sync(client=client, body=QUESTION)
    assert "Canary" not in repr(caught.value)
    assert caught.value.__context__ is None
