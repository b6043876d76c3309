"""How an activity looks at a moment."""

from __future__ import annotations

from typing import Any

import pytest

from pokitdok_sandbox.lifecycle import QUEUED, is_scheduled, view
from pokitdok_sandbox.settings import Pace

CREATED = 1_700_000_000.0
WORDS = [stage.transition for stage in QUEUED]


def record(**more: Any) -> dict[str, Any]:
    return {
        "id": "a" * 24,
        "name": "claims",
        "path": "queued",
        "created": CREATED,
        "outcomes": [{"result": {"providers": [], "patient": {}}, "tracking_description": "acknowledged"}],
        **more,
    }


@pytest.mark.parametrize(
    ("elapsed", "state", "history", "tracking"),
    [
        (0, "scheduled", ["init"], "submitting"),
        (299.9, "scheduled", ["init"], "submitting"),
        (300, "generating", ["init", "scheduled"], "submitting"),
        (315, "stored", ["init", "scheduled", "generating"], "submitting"),
        (330, "transmitting", ["init", "scheduled", "generating", "stored"], "submitting"),
        (345, "waiting", ["init", "scheduled", "generating", "stored", "transmitting"], "waiting"),
        (390, "receiving", ["init", "scheduled", "generating", "stored", "transmitting", "waiting"], "waiting"),
        (
            405,
            "processing",
            ["init", "scheduled", "generating", "stored", "transmitting", "waiting", "receiving"],
            "waiting",
        ),
        (
            420,
            "completed",
            ["init", "scheduled", "generating", "stored", "transmitting", "waiting", "receiving", "processing"],
            "acknowledged",
        ),
    ],
)
def test_a_claim_walks_its_path_by_the_clock(elapsed: float, state: str, history: list[str], tracking: str) -> None:
    seen = view(record(), CREATED + elapsed, Pace())

    assert seen["state"]["name"] == state
    assert [entry["name"] for entry in seen["history"]] == history
    assert seen["tracking_description"] == tracking
    assert seen["transition_path"] == WORDS
    assert seen.get("remaining_transitions", []) == WORDS[len(history) :]
    assert ("result" in seen) == (state == "completed")


def test_times_are_naive_utc_with_microseconds() -> None:
    seen = view(record(), CREATED + 400, Pace())

    assert seen["history"][0]["record_dt"] == "2023-11-14T22:13:20.000000"
    assert seen["history"][2]["record_dt"] == "2023-11-14T22:18:20.000000"


@pytest.mark.parametrize(("speed", "elapsed"), [(60.0, 7.0), (600.0, 0.7), (float("inf"), 0.0)])
def test_speed_shortens_every_stage(speed: float, elapsed: float) -> None:
    assert view(record(), CREATED + elapsed, Pace(speed=speed))["state"]["name"] == "completed"


def test_a_clock_that_went_back_leaves_the_claim_scheduled() -> None:
    assert view(record(), CREATED - 10, Pace())["state"]["name"] == "scheduled"


def test_a_rejected_claim_ends_in_its_own_state() -> None:
    refused = record(outcomes=[{"result": {"patient": {}}, "tracking_description": "rejected", "state": "rejected"}])

    seen = view(refused, CREATED + 420, Pace())

    assert seen["state"] == {"name": "rejected", "title": "Rejected"}
    assert seen["result"] == {"patient": {}}
    assert "remaining_transitions" not in seen


def test_a_canceled_claim_stays_as_it_was_canceled() -> None:
    seen = view(record(ended="canceled", ended_at=CREATED + 5), CREATED + 5000, Pace())

    assert seen["state"] == {"name": "canceled", "title": "Canceled"}
    assert [entry["name"] for entry in seen["history"]] == ["init", "scheduled", "canceled"]
    assert seen["history"][-1]["record_dt"] == "2023-11-14T22:13:25.000000"
    assert "remaining_transitions" not in seen
    assert "result" not in seen


def test_only_scheduled_work_can_be_canceled() -> None:
    assert is_scheduled(record(), CREATED + 299, Pace())
    assert not is_scheduled(record(), CREATED + 300, Pace())
    assert not is_scheduled(record(ended="canceled", ended_at=CREATED), CREATED, Pace())


def test_a_call_under_way_is_shown_in_processing() -> None:
    seen = view(record(path="in_house"), CREATED, Pace())

    assert seen["state"]["name"] == "processing"
    assert [entry["name"] for entry in seen["history"]] == ["init"]
    assert seen["remaining_transitions"] == ["complete"]


PAYMENT = {"after": 450, "result": {"payer": {}, "payee": {}}, "tracking_description": "paid", "payment_id": "b" * 24}


def with_payment(**more: Any) -> dict[str, Any]:
    return record(outcomes=[*record()["outcomes"], PAYMENT], **more)


@pytest.mark.parametrize(
    ("elapsed", "tracking", "results"),
    [(419, "waiting", 0), (420, "acknowledged", 1), (449, "acknowledged", 1), (450, "paid", 2)],
)
def test_a_payment_follows_the_acknowledgement_and_both_stay_in_the_history(
    elapsed: float, tracking: str, results: int
) -> None:
    seen = view(with_payment(), CREATED + elapsed, Pace())

    assert seen["tracking_description"] == tracking
    assert len(seen.get("result_history", [])) == (2 if results == 2 else 0)
    assert seen.get("result") == [None, {"providers": [], "patient": {}}, PAYMENT["result"]][results]
    assert seen.get("payment_id") == (PAYMENT["payment_id"] if results == 2 else None)


def test_by_polls_each_read_is_one_step_whatever_the_time() -> None:
    states = []
    for reads in range(10):
        seen = view(with_payment(polls=[CREATED + 1] * reads), CREATED + 9999, Pace("polls"))
        states.append((seen["state"]["name"], seen["tracking_description"]))

    assert [state for state, _ in states] == [*(stage.state for stage in QUEUED), "completed", "completed"]
    assert [tracking for _, tracking in states[-3:]] == ["acknowledged", "paid", "paid"]


def test_at_once_all_is_over_when_it_begins() -> None:
    seen = view(with_payment(), CREATED, Pace("at once"))

    assert (seen["state"]["name"], seen["tracking_description"]) == ("completed", "paid")
    assert "remaining_transitions" not in seen


def test_a_status_asked_for_later_joins_the_history() -> None:
    seen = view(record(appended=[{"at": CREATED + 9, "result": {"trading_partner_id": "x"}}]), CREATED + 420, Pace())

    assert [entry["record_dt"][-15:] for entry in seen["result_history"]] == ["22:20:20.000000", "22:13:29.000000"]
