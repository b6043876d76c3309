"""Makes scripts/generate.py and the golden package importable, and generates the golden contract once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).resolve().parent / "golden"

sys.path[:0] = [str(ROOT / "scripts"), str(GOLDEN)]


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that the golden contract gives now."""
    from generate import generate  # noqa: PLC0415 - needs the path above

    output = tmp_path_factory.mktemp("generated") / "golden_api"
    generate(GOLDEN / "contract.yaml", output)
    return output


@pytest.fixture
def golden() -> Path:
    """The golden contract and package, as committed."""
    return GOLDEN
