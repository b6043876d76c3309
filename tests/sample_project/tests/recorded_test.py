"""Recorded from the sandbox with `pytest --record-mode=rewrite`; played from the file without it."""

import pytest
from conftest import TAMSIN


@pytest.mark.vcr
def test_covered_patient(desk):
    assert desk.is_covered(TAMSIN)


@pytest.mark.vcr
def test_claim_is_filed(desk, visit):
    assert len(desk.bill(visit)) == 24
