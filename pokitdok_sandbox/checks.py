"""Rules that hold for the body of every X12 request beyond what the contract's schemas can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import REQUIRED, RefusalError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

NPI_PREFIX = "80840"
"""Put before an NPI when its check digit is computed (CMS, NPI check digit calculation)."""


def is_npi(text: str) -> bool:
    """Tell whether ``text`` is a National Provider Identifier: ten digits with a right Luhn check digit.

    A blank at the end is forgiven: the platform's own examples print one.
    """
    text = text.rstrip()
    if len(text) != 10 or not (text.isascii() and text.isdigit()):
        return False
    total = 0
    for position, digit in enumerate(reversed(NPI_PREFIX + text)):
        doubled = int(digit) * (2 if position % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def require_npi(field: str, provider: Mapping[str, Any]) -> None:
    """Refuse a provider whose NPI is given and wrong.

    Raises:
        RefusalError: 422, naming ``field`` and npi.
    """
    if "npi" in provider and not is_npi(provider["npi"]):
        raise invalid({field: {"npi": ["Not a valid NPI."]}})


def refuse_findings(messages: Mapping[str, Any]) -> None:
    """Refuse a body by what the contract found in it; no finding, no refusal.

    The platform's client tests show 400 for a body that lacks trading_partner_id alone, its documentation 422 when
    member and provider are missing with it.

    Raises:
        RefusalError: 400 or 422 with ``errors.validation``.
    """
    if messages == {"trading_partner_id": [REQUIRED]}:
        raise RefusalError(400, {"validation": messages})
    if messages:
        raise invalid(messages)
