"""An eligibility answer as a table a person can read."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from pokitdok_api.models import EligibilityCoverage, EligibilityEnvelope

from ._session import printable
from ._tables import show_rows

COLUMNS = ("benefit", "for", "in network", "period", "amount")


def show_benefits(out: Console, answer: dict[str, Any]) -> None:
    """Print what *answer* says: who covers the member, and the amounts."""
    data = EligibilityEnvelope.from_dict(answer).data
    if not data:
        out.print("The answer holds no data.")
        return
    if data.valid_request is False:
        reason, advice = _words(data.reject_reason), _words(data.follow_up_action)
        out.print(f"Not found: {reason or 'no reason given'}" + (f" ({advice})" if advice else ""))
        return
    coverage = data.coverage
    if not coverage:
        out.print("The answer holds no coverage.")
        return
    state = ("Active" if coverage.active else "Inactive") if isinstance(coverage.active, bool) else "Unknown"
    plan = coverage.plan_description or coverage.group_description
    out.print(" - ".join(printable(part) for part in (state, plan, _dates(coverage)) if part))
    rows = list(benefit_rows(coverage))
    if rows:
        show_rows(out, COLUMNS, rows, right="amount")


def benefit_rows(coverage: EligibilityCoverage) -> Iterator[tuple[str, ...]]:
    """The amounts of a coverage, a row each, in the order of `COLUMNS`."""
    kinds: tuple[tuple[str, Any], ...] = (
        ("deductible", coverage.deductibles),
        ("out of pocket", coverage.out_of_pocket),
        ("copay", coverage.copay),
        ("coinsurance", coverage.coinsurance),
    )
    for kind, entries in kinds:
        for entry in entries or ():
            amount = _amount(entry)
            if amount:
                period = getattr(entry, "time_period", None)
                yield kind, _words(entry.coverage_level), _words(entry.in_plan_network), _words(period), amount


def _amount(entry: Any) -> str:
    money = getattr(entry, "benefit_amount", None) or getattr(entry, "copayment", None)
    if money:
        return printable(f"{money.amount} {money.currency or ''}".strip())
    percent = getattr(entry, "benefit_percent", None)
    return f"{percent:.0%}" if isinstance(percent, float) else ""


def _dates(coverage: EligibilityCoverage) -> str:
    begin, end = coverage.plan_begin_date, coverage.plan_end_date
    return " ".join(f"{word} {day}" for word, day in (("from", begin), ("to", end)) if day)


def _words(code: object) -> str:
    return printable(code).replace("_", " ") if code else ""
