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


def require_scopes(held: frozenset[str], needed: tuple[frozenset[str], ...]) -> None:
    """Refuse a token that has all scopes of none of the sets in ``needed``.

    Raises:
        RefusalError: 403 with ``errors.scope``, naming the first scope that is missing, as recorded.
    """
    if needed and not any(scopes <= held for scopes in needed):
        missing = min(needed[0] - held)
        raise RefusalError(403, {"scope": f"'{missing}' scope required to access this API"})


def require_x12(media_type: str, body: Any) -> None:
    """Refuse a body sent as X12, bare or as the member x12 of JSON, that no interchange header begins.

    What the platform answered is not known. Our reading: ``errors.validation``, because ``errors.parsing`` is the
    digest of what a trading partner answered, and no partner saw this.

    Raises:
        RefusalError: 422, naming body or x12.
    """
    if "edi-x12" not in media_type:
        return
    field, text = ("x12", body.get("x12")) if isinstance(body, dict) else ("body", body)
    if isinstance(text, str) and not text.lstrip().startswith("ISA"):  # of another type: the contract's to refuse
        raise invalid({field: ["Not X12: an interchange begins with ISA."]})


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
