"""Cassettes of users' own tests: written with their true origin, and each a test that it fits the contract."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pytest

from pokitdok_ext import __version__
from pokitdok_ext.testing.cassettes import ReadableYaml, check_cassette
from pokitdok_ext.testing.contract import Contract
from pokitdok_ext.testing.sandbox import SANDBOX_URL
from pokitdok_sandbox.contract import contract_file

_REMEDY = "Record it anew: pytest --record-mode=rewrite, with the test that plays it"


@cache
def _contract() -> Contract:
    return Contract()


class HonestYaml(ReadableYaml):
    """Cassettes that say of themselves whether they are recorded from the sandbox."""

    def __init__(self) -> None:
        contract = hashlib.sha256(contract_file().read_bytes()).hexdigest()[:12]
        super().__init__(f"pokitdok_sandbox {__version__}, contract {contract}; not traffic of the real platform")

    def serialize(self, cassette: Mapping[str, Any]) -> str:
        """Write a cassette; called by vcrpy."""
        elsewhere = [each for each in cassette["interactions"] if not each["request"]["uri"].startswith(SANDBOX_URL)]
        if not elsewhere:
            return super().serialize(cassette)
        return ReadableYaml(f"recorded with pokitdok-client {__version__}, not from its sandbox").serialize(cassette)


class CassetteFile(pytest.File):
    """A cassette among the files that pytest collects."""

    def collect(self) -> Iterable[pytest.Item]:
        """Return its one test."""
        return [_FitsTheContract.from_parent(self, name="fits_the_contract")]


class CassetteError(Exception):
    """A cassette does not fit the contract; the text says where, without values."""


class _FitsTheContract(pytest.Item):
    def runtest(self) -> None:
        findings = "\n".join(f"  {finding}" for finding in check_cassette(self.path, _contract()))
        if findings:
            raise CassetteError(f"does not fit the contract of pokitdok-client {__version__}:\n{findings}\n{_REMEDY}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, CassetteError):
            return f"{self.path.name} {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, f"{self.path.name}: fits the contract"
