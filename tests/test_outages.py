"""How long a source that failed is left alone: tables of decisions."""

from __future__ import annotations

import pytest

from pokitdok_ext._errors import (
    InvalidClientError,
    PermanentTokenError,
    TokenEndpointMovedError,
    TokenForbiddenError,
    TokenResponseError,
    TokenThrottledError,
    TokenUnavailableError,
)
from pokitdok_ext._outages import pause_after, retry_wait

DOWN, BROKEN = TokenUnavailableError("down"), TokenResponseError("broken")


@pytest.mark.parametrize(
    ("error", "failures", "serving", "expected"),
    [
        pytest.param(InvalidClientError("no"), 1, True, 60, id="invalid client, serving"),
        pytest.param(InvalidClientError("no"), 9, True, 600, id="invalid client, serving, capped at 10 minutes"),
        pytest.param(InvalidClientError("no"), 1, False, 30, id="invalid client"),
        pytest.param(InvalidClientError("no"), 2, False, 60, id="invalid client, doubled"),
        pytest.param(InvalidClientError("no"), 9, False, 300, id="invalid client, capped at 5 minutes"),
        pytest.param(TokenForbiddenError("no"), 1, True, 60, id="403, serving"),
        pytest.param(TokenForbiddenError("no"), 9, False, 60, id="403"),
        pytest.param(TokenThrottledError("no", 77.0), 3, True, 77, id="429, as asked, serving"),
        pytest.param(TokenThrottledError("no", 77.0), 3, False, 77, id="429, as asked"),
        pytest.param(TokenThrottledError("no"), 3, False, 4, id="429 without Retry-After"),
        pytest.param(DOWN, 1, False, 1, id="down"),
        pytest.param(DOWN, 9, False, 30, id="down, capped at 30 seconds"),
        pytest.param(DOWN, 1, True, 0.75, id="down, serving, jitter 0.5 to 1"),
        pytest.param(DOWN, 9, True, 45, id="down, serving, capped at 60 seconds"),
        pytest.param(DOWN, 5000, False, 30, id="down for a very long time"),
        pytest.param(BROKEN, 2, False, 2, id="unusable answer, as down"),
        pytest.param(TokenEndpointMovedError("no"), 1, False, 30, id="redirect, as permanent"),
        pytest.param(PermanentTokenError("no"), 1, True, 60, id="provider says permanent"),
        pytest.param(ValueError("bug"), 1, False, 1, id="anything else, as down"),
    ],
)
def test_pause_after_a_failure(error: Exception, failures: int, serving: bool, expected: float) -> None:
    assert pause_after(error, failures, 0.5, serving=serving) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        pytest.param(DOWN, [0.375, 0.75, None], id="down: two retries"),
        pytest.param(BROKEN, [0.375, 0.75, None], id="unusable answer: two retries"),
        pytest.param(TokenUnavailableError("certificate", transient=False), [None], id="bad certificate: none"),
        pytest.param(TokenThrottledError("no", 3.0), [3.0, None], id="429: one, when asked to"),
        pytest.param(TokenThrottledError("no"), [1.0, None], id="429 without Retry-After: one"),
        pytest.param(InvalidClientError("no"), [None], id="invalid client: none"),
        pytest.param(TokenForbiddenError("no"), [None], id="403: none"),
        pytest.param(TokenEndpointMovedError("no"), [None], id="redirect: none"),
    ],
)
def test_retries_within_one_fetch(error: Exception, waits: list[float | None]) -> None:
    assert [retry_wait(error, attempt, 0.5) for attempt in range(len(waits))] == waits
