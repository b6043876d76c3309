"""`pokitdok eligibility`: one member, or a file of them."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pokitdok_api._operations import CHECK_ELIGIBILITY
from pokitdok_api.models import EligibilityEnvelope
from pokitdok_ext._client_tokens import clock_of
from pokitdok_ext._paths import form_for

from . import _batch, _exits
from ._activity import show_new
from ._benefits import show_answer
from ._commands import JSON_OPTION
from ._documents import in_unicode, read_object
from ._journal import Journal
from ._members import question, read_rows
from ._session import Session, pass_session

_ASKED_FOR = {
    "member_id": "Member id",
    "first_name": "First name",
    "last_name": "Last name",
    "birth_date": "Birth date (1984-06-17)",
}

_TRADING_PARTNER = click.option("-t", "--trading-partner", metavar="ID", help="Whom to ask.  [default: the profile's]")
_NPI = click.option("--npi", metavar="NPI", help="Provider who asks.  [default: the profile's]")
_SERVICE_TYPES = click.option(
    "--service-type", "service_types", metavar="TYPE", multiple=True, help="What to ask about; can be repeated."
)


@click.group(invoke_without_command=True, subcommand_metavar="[batch]")
@_TRADING_PARTNER
@_NPI
@_SERVICE_TYPES
@click.option("--member-id", metavar="ID", help="Of the member, with the payer.")
@click.option("--first-name", metavar="NAME")
@click.option("--last-name", metavar="NAME")
@click.option("--birth-date", metavar="DATE", help="Such as 1984-06-17.")
@click.option("--from", "source", metavar="FILE", help="JSON of the whole request; - for the standard input.")
@JSON_OPTION
@click.pass_context
def eligibility(
    context: click.Context,
    /,
    *,
    trading_partner: str | None,
    npi: str | None,
    service_types: tuple[str, ...],
    source: str | None,
    as_json: bool,
    **member: str | None,
) -> int | None:
    """Ask a payer about a member's coverage and benefits (X12 270/271). Each question may be billed.

    What is not given about the member is asked for in a terminal, so that it stays out of the shell's history.
    Exit code 1 means that the payer does not know the member.

    \b
    Examples:
      pokitdok eligibility -t MOCKPAYER --npi 1234567893
      pokitdok eligibility --from question.json
      pokitdok eligibility --from question.json --json | jq .data.coverage.copay
      pokitdok eligibility batch members.csv -o results.jsonl
    """
    if context.invoked_subcommand is not None:
        return None
    session: Session = context.obj
    if source is not None:
        asked = read_object(source)
    else:
        values = member | _defaults(session, trading_partner, npi)
        if not any(member.values()) and sys.stdin.isatty():
            values |= {
                name: in_unicode(click.prompt(text, default="", show_default=False, err=True))
                for name, text in _ASKED_FOR.items()
            }
        try:
            asked = question(values, list(service_types))
        except ValueError as error:
            raise click.UsageError(f"{error}") from None
    operation = form_for(CHECK_ELIGIBILITY, asked)
    answer = session.ask(operation, body=asked)
    if as_json:
        session.show_json(answer)
    elif operation.form == "async":
        show_new(session, answer)
    else:
        show_answer(session.out, EligibilityEnvelope.from_dict(answer).data or None)
    return _exits.NO if _batch.outcome_of(answer) == "not found" else _exits.DONE


def _defaults(session: Session, trading_partner: str | None, npi: str | None) -> dict[str, str | None]:
    profile = session.profile
    return {"trading_partner": trading_partner or profile.trading_partner, "npi": npi or profile.npi}


@eligibility.command()
@click.argument("members", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Appended to.")
@_TRADING_PARTNER
@_NPI
@_SERVICE_TYPES
@click.option(
    "--in-flight", type=click.IntRange(1, 64), default=8, show_default=True, help="Questions under way at most."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@pass_session
def batch(
    session: Session,
    *,
    members: Path,
    output: Path,
    trading_partner: str | None,
    npi: str | None,
    service_types: tuple[str, ...],
    in_flight: int,
    as_json: bool,
) -> int:
    """Ask about every member of a CSV file. Each row is once in the output: a JSON line, in order of arrival.

    The same command goes on where it was stopped, by Ctrl-C, kill -9 or a power cut. Rows that were under way are asked
    again. Rows whose answer does not come are put back and, if it never comes, left for the next run.

    \b
    The file has a heading and any of these columns:
      member_id, first_name, middle_name, last_name, birth_date, gender, group_number
      trading_partner, npi, service_types (separated by |)
      reference (your own key; copied to the output)
    \b
    Examples:
      pokitdok eligibility batch members.csv -o results.jsonl -t MOCKPAYER --npi 1234567893
      jq -r 'select(.outcome == "inactive") | .reference' results.jsonl
    """
    rows = read_rows(members, _defaults(session, trading_partner, npi), list(service_types))
    session.client.tokens.warm()  # here, where a secret can be asked for, and before the output is opened
    clock = clock_of(session.client)
    started = clock.monotonic()
    with Journal(output, rows) as journal, _stopping(session) as stop:
        before = len(journal.done)
        with _progress(session, len(rows), before) as advance:
            result = _batch.run(
                rows,
                journal,
                lambda asked: session.aask(CHECK_ELIGIBILITY, body=asked),
                client=session.client,
                in_flight=in_flight,
                stop=stop,
                progress=advance,
            )
    summary = {
        "rows": len(rows),
        "before": before,
        **dict(sorted(result.counts.items())),
        "without_answer": result.left,
    }
    _summarize(session, summary, clock.monotonic() - started, as_json)
    if result.error is not None:
        session.note(f"pokitdok: {_exits.text_for(result.error, shown=True)}")
        session.note("The same command goes on from here.")
        return _exits.code_for(result.error)
    if result.left:
        session.note(f"{result.left} rows have no answer yet: the same command goes on from here.")
        return _exits.INTERRUPTED if stop.is_set() else _exits.LATER
    return _exits.NO if result.counts["refused"] else _exits.DONE


@contextmanager
def _stopping(session: Session) -> Iterator[threading.Event]:
    """Within this context the first Ctrl-C (or SIGTERM) ends the asking, the second one the process.

    That one ends as a kill would, which the output bears: an exception could strike anywhere in an event loop.
    """
    stop = threading.Event()
    farewell = (b"\x1b[?25h" if session.err.is_terminal else b"") + b"\nInterrupted.\n"

    def stopped(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os.write(sys.stderr.fileno(), farewell)
            os._exit(_exits.INTERRUPTED)
        stop.set()
        session.note("Stopping: waiting for what is under way; Ctrl-C again leaves at once.")

    before = {number: signal.signal(number, stopped) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(session: Session, total: int, done: int) -> Iterator[Any]:
    """A bar on the error output, if that is a terminal; narrow windows get a narrow bar."""
    if not session.err.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("rows"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=session.err, expand=True) as progress:
        task = progress.add_task("", total=total, completed=done)
        yield lambda number: progress.advance(task, number)


def _summarize(session: Session, summary: dict[str, Any], seconds: float, as_json: bool) -> None:
    if as_json:
        session.show_json(summary | {"seconds": round(seconds, 1)})
        return
    for name, count in summary.items():
        if count or name == "rows":
            session.out.print(f"{count:>8,} {name.replace('_', ' ')}")
