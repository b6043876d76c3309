"""What a token is and when it becomes stale: windows, policies, secrets."""

from __future__ import annotations

import math

import pytest

from pokitdok_ext._tokens import windows

HOUR = 3600.0


@pytest.mark.parametrize(
    ("life", "chance", "expected"),
    [
        pytest.param(3600, 0.0, (3300, 3590), id="an hour without jitter"),
        pytest.param(3600, 1.0, (3240, 3590), id="an hour with all of the jitter"),
        pytest.param(600, 0.0, (300, 590), id="ten minutes"),
        pytest.param(60, 1.0, (30, 54), id="a minute: both leads shrink"),
        pytest.param(1, 0.5, (0.5, 0.9), id="a second"),
        pytest.param(0, 0.5, (1, 1), id="no life at all"),
        pytest.param(-5, 0.5, (1, 1), id="less than none"),
        pytest.param(math.inf, 0.5, (math.inf, math.inf), id="until refused"),
    ],
)
def test_windows_scale_with_the_life_of_the_token(life: float, chance: float, expected: tuple[float, float]) -> None:
    assert windows(life, chance) == pytest.approx(expected)


def test_renewals_of_a_thousand_hosts_spread_over_a_minute() -> None:
    softs = [windows(HOUR, number / 1000)[0] for number in range(1001)]
    assert max(softs) - min(softs) == pytest.approx(60)
