"""`pokitdok claims`: submit one, ask how one stands."""

from collections.abc import Iterator
from typing import Any

import click

from pokitdok_api._operations import CHECK_CLAIM_STATUS, SUBMIT_CLAIM
from pokitdok_ext._paths import form_for

from . import _exits
from ._activity import show_new
from ._commands import JSON_OPTION
from ._documents import read_object, within
from ._session import Session, pass_session
from ._tables import differences, in_words, printable, show_rows

COLUMNS = ("tracking id", "service date", "charged", "paid", "status")


@click.group()
def claims() -> None:
    """Submit a claim, or ask a payer how one stands."""


@claims.command()
@click.argument("source", metavar="FILE")
@JSON_OPTION
@pass_session
def submit(session: Session, source: str, as_json: bool) -> int:
    """Submit the claim in FILE, a JSON request; - for the standard input (X12 837).

    It is sent once and never again by itself. Exit code 5: no answer came, and the claim may have been filed; look for
    its activity before submitting it again.

    \b
    Examples:
      pokitdok claims submit claim.json
      pokitdok activity watch $(pokitdok claims submit claim.json --json | jq -r .meta.activity_id)
    """
    answer = session.ask(SUBMIT_CLAIM, body=read_object(source))
    if as_json:
        session.show_json(answer)
        return _exits.DONE
    show_new(session, answer)
    return _exits.DONE


@claims.command()
@click.argument("source", metavar="FILE")
@JSON_OPTION
@pass_session
def status(session: Session, source: str, as_json: bool) -> int:
    """Ask how the claim described in FILE stands, a JSON request; - for the standard input (X12 276/277).

    \b
    Example:
      pokitdok claims status question.json
    \b
    question.json:
      {"trading_partner_id": "MOCKPAYER", "provider": {"npi": "1234567893"},
       "patient": {"id": "W000777001", "birth_date": "1984-06-17"}, "service_date": "2026-11-02"}
    """
    asked = read_object(source)
    operation = form_for(CHECK_CLAIM_STATUS, asked)
    answer = session.ask(operation, body=asked)
    if as_json:
        session.show_json(answer)
        return _exits.DONE
    if operation.form == "async":
        show_new(session, answer)
        return _exits.DONE
    found = list(_statuses(within(answer, "data", "patient", "claims")))
    if not found:
        session.out.print("The payer tells of no claim.")
        return _exits.NO
    about = differences([row for row, _ in found], [facts for _, facts in found])
    rows = [(*row[:-1], "; ".join(filter(None, (row[-1], text)))) for (row, _), text in zip(found, about, strict=True)]
    show_rows(session.out, COLUMNS, rows, amounts=("charged", "paid"), whole=("tracking id", "service date"))
    return _exits.DONE


def _statuses(found: Any) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """The cells of each status, and all that is known of it and its claim."""
    for claim in found if isinstance(found, list) else ():
        entries: Any = within(claim, "statuses") or ({},)
        for entry in entries:
            charged = within(entry, "total_claim_amount") or within(claim, "total_claim_amount")
            paid = within(entry, "claim_payment_amount") or within(claim, "claim_payment_amount")
            words = within(entry, "status_category") or within(entry, "status_code") or within(claim, "status_code")
            ids = printable(within(claim, "tracking_id")), printable(within(claim, "service_date"))
            facts = {name: value for each in (claim, entry) if isinstance(each, dict) for name, value in each.items()}
            facts.pop("statuses", None)  # each of them has a row
            yield (*ids, _money(charged), _money(paid), in_words(words)), facts


def _money(value: Any) -> str:
    amount = within(value, "amount")
    return "" if amount is None else f"{amount} {within(value, 'currency') or ''}".strip()
