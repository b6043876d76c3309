"""An eligibility answer as a table a person can read."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from rich.console import Console

from pokitdok_api.models import EligibilityCoverage, EligibilityResponse

from ._tables import differences, in_words, printable, show_rows

COLUMNS = ("benefit", "for", "network", "period", "amount")

_SHOWN = {"coverage_level", "in_plan_network", "time_period", "benefit_amount", "copayment", "benefit_percent"}


@dataclass(frozen=True)
class Benefit:
    """An amount or a share that a coverage tells of.

    Attributes:
        kind: deductible, out of pocket, copay or coinsurance.
        level: For whom, such as family.
        network: Whether it is for providers of the plan: in, out, not applicable.
        period: Of what time, such as calendar year or remaining.
        about: What tells it from others with the same words, such as the message of a copay; else empty.
        amount: Decimal digits, in a currency or in percent.
        unit: The currency, or `%`.
    """

    kind: str
    level: str
    network: str
    period: str
    about: str
    amount: str
    unit: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of its row, in the order of `COLUMNS`."""
        value = f"{self.amount}%" if self.unit == "%" else f"{self.amount} {self.unit}".strip()
        kind = f"{self.kind}: {self.about}" if self.about else self.kind
        return kind, self.level, self.network, self.period, value


def show_answer(out: Console, data: EligibilityResponse | None) -> None:
    """Print what *data* says: who covers the member, and the amounts."""
    if not data:
        out.print("The answer holds no data.")
        return
    if data.valid_request is False:
        reason, advice = in_words(data.reject_reason), in_words(data.follow_up_action)
        out.print(f"Not found: {reason or 'no reason given'}" + (f" ({advice})" if advice else ""))
        return
    coverage = data.coverage
    if not coverage:
        out.print("The answer holds no coverage.")
        return
    state = ("Active" if coverage.active else "Inactive") if isinstance(coverage.active, bool) else "Unknown"
    plan = coverage.plan_description or coverage.group_description
    out.print(" - ".join(printable(part) for part in (state, plan, _dates(coverage)) if part))
    show_benefits(out, benefits(coverage))


def show_benefits(out: Console, rows: list[Benefit]) -> None:
    """Print *rows* as a table, if there are any."""
    if rows:
        show_rows(out, COLUMNS, [row.cells for row in rows], amounts=("amount",))


def benefits(coverage: EligibilityCoverage) -> list[Benefit]:
    """The amounts of a coverage."""
    found = list(_benefits(coverage))
    looks = [(row.kind, row.level, row.network, row.period) for row, _ in found]
    about = differences(looks, [facts for _, facts in found])
    return [replace(row, about=text) for (row, _), text in zip(found, about, strict=True)]


def _benefits(coverage: EligibilityCoverage) -> Iterator[tuple[Benefit, dict[str, Any]]]:
    """Each amount with the facts that no column shows."""
    kinds: tuple[tuple[str, Any], ...] = (
        ("deductible", coverage.deductibles),
        ("out of pocket", coverage.out_of_pocket),
        ("copay", coverage.copay),
        ("coinsurance", coverage.coinsurance),
    )
    for kind, entries in kinds:
        for entry in entries or ():
            amount, unit = _amount(entry)
            if amount:
                level, network = in_words(entry.coverage_level), in_words(entry.in_plan_network)
                network = {"yes": "in", "no": "out"}.get(network, network)
                period = in_words(getattr(entry, "time_period", None))
                facts = {name: value for name, value in entry.to_dict().items() if name not in _SHOWN}
                if facts.get("service_types"):
                    facts.pop("service_type_codes", None)  # the same in numbers
                yield Benefit(kind, level, network, period, "", amount, unit), facts


def _amount(entry: Any) -> tuple[str, str]:
    money = getattr(entry, "benefit_amount", None) or getattr(entry, "copayment", None)
    if money:
        return printable(money.amount), printable(money.currency or "")
    share = getattr(entry, "benefit_percent", None)
    if share is None or isinstance(share, bool):
        return "", ""
    try:
        percent = Decimal(str(share)) * 100  # of the digits, not of a binary fraction
    except InvalidOperation:
        return "", ""
    digits = f"{percent:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits, "%"


def _dates(coverage: EligibilityCoverage) -> str:
    begin, end = coverage.plan_begin_date, coverage.plan_end_date
    return " ".join(f"{word} {day}" for word, day in (("from", begin), ("to", end)) if day)
