"""How an activity looks at a moment."""

from __future__ import annotations

from typing import Any

import pytest

from pokitdok_sandbox.lifecycle import QUEUED, is_scheduled, view

CREATED = 1_700_000_000.0
WORDS = [stage.transition for stage in QUEUED]


def record(**more: Any) -> dict[str, Any]:
    return {
        "id": "a" * 24,
        "name": "claims",
        "path": "queued",
        "created": CREATED,
        "outcome": {"result": {"providers": [], "patient": {}}, "tracking_description": "acknowledged"},
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
    seen = view(record(), CREATED + elapsed, speed=1.0)

    assert seen["state"]["name"] == state
    assert [entry["name"] for entry in seen["history"]] == history
    assert seen["tracking_description"] == tracking
    assert seen["transition_path"] == WORDS
    assert seen.get("remaining_transitions", []) == WORDS[len(history) :]
    assert ("result" in seen) == (state == "completed")


def test_times_are_naive_utc_with_microseconds() -> None:
    seen = view(record(), CREATED + 400, speed=1.0)

    assert seen["history"][0]["record_dt"] == "2023-11-14T22:13:20.000000"
    assert seen["history"][2]["record_dt"] == "2023-11-14T22:18:20.000000"


@pytest.mark.parametrize(("speed", "elapsed"), [(60.0, 7.0), (600.0, 0.7), (float("inf"), 0.0)])
def test_speed_shortens_every_stage(speed: float, elapsed: float) -> None:
    assert view(record(), CREATED + elapsed, speed)["state"]["name"] == "completed"


def test_a_clock_that_went_back_leaves_the_claim_scheduled() -> None:
    assert view(record(), CREATED - 10, speed=1.0)["state"]["name"] == "scheduled"


def test_a_rejected_claim_ends_in_its_own_state() -> None:
    refused = record(outcome={"result": {"patient": {}}, "tracking_description": "rejected", "state": "rejected"})

    seen = view(refused, CREATED + 420, speed=1.0)

    assert seen["state"] == {"name": "rejected", "title": "Rejected"}
    assert seen["result"] == {"patient": {}}
    assert "remaining_transitions" not in seen


def test_a_canceled_claim_stays_as_it_was_canceled() -> None:
    seen = view(record(ended="canceled", ended_at=CREATED + 5), CREATED + 5000, speed=1.0)

    assert seen["state"] == {"name": "canceled", "title": "Canceled"}
    assert [entry["name"] for entry in seen["history"]] == ["init", "scheduled", "canceled"]
    assert seen["history"][-1]["record_dt"] == "2023-11-14T22:13:25.000000"
    assert "remaining_transitions" not in seen
    assert "result" not in seen


def test_only_scheduled_work_can_be_canceled() -> None:
    assert is_scheduled(record(), CREATED + 299, 1.0)
    assert not is_scheduled(record(), CREATED + 300, 1.0)
    assert not is_scheduled(record(ended="canceled", ended_at=CREATED), CREATED, 1.0)


def test_a_call_under_way_is_shown_in_processing() -> None:
    seen = view(record(path="in_house"), CREATED, speed=1.0)

    assert seen["state"]["name"] == "processing"
    assert [entry["name"] for entry in seen["history"]] == ["init"]
    assert seen["remaining_transitions"] == ["complete"]
