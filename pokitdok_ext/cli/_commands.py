"""Commands that are one question and one answer: token, request, trading-partners; and those that talk to no API."""

import math
from typing import Any

import click
from click.shell_completion import get_completion_class

from pokitdok_api._operations import GET_TRADING_PARTNER, LIST_TRADING_PARTNERS, OPERATIONS
from pokitdok_api._requests import path_segment
from pokitdok_ext._paths import ROOT, operation_for

from . import _exits
from ._documents import read_document
from ._session import Session, pass_session
from ._tables import show_rows


def _note_json(context: click.Context, _: click.Parameter, as_json: bool) -> bool:
    context.find_object(Session).as_json = as_json  # type: ignore[union-attr]
    return as_json


JSON_OPTION = click.option(
    "--json",
    "as_json",
    is_flag=True,
    callback=_note_json,
    help="Print the answer as JSON, amounts as numbers; errors as they came.",
)


@click.command()
@click.option("--reveal", is_flag=True, help="Print the token itself and nothing else, for use in another command.")
@pass_session
def token(session: Session, reveal: bool) -> None:
    """Fetch a token, to see whether the credentials work.

    \b
    Examples:
      pokitdok token
      curl -H "Authorization: Bearer $(pokitdok token --reveal)" $POKITDOK_BASE_URL/api/v4/activities/
    """
    session.client.tokens.warm()
    state = session.client.tokens.state()
    if reveal:
        click.echo(session.reveal_token())
        return
    left = state.seconds_left or 0
    good = "until it is refused" if math.isinf(left) else f"for {left / 60:.0f} minutes"
    session.out.print(f"token {state.fingerprint} is good {good}")


def _paths(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    known = {operation.path.removeprefix(ROOT) for operation in OPERATIONS.values() if operation.path.startswith(ROOT)}
    return sorted(path for path in known if path.startswith(begun))


@click.command()
@click.argument("method", type=click.Choice(["GET", "POST", "PUT", "DELETE"], case_sensitive=False))
@click.argument("path", shell_complete=_paths)
@click.option(
    "-q", "--query", "pairs", metavar="NAME=VALUE", multiple=True, help="Parameter of the query; can be repeated."
)
@click.option("-d", "--data", metavar="FILE", help="File with the JSON to send, - for the standard input.")
@pass_session
def request(session: Session, method: str, path: str, pairs: tuple[str, ...], data: str | None) -> None:
    """Send any request and print the answer as it came, JSON on many lines.

    PATH is what follows /api/v4. An error that the API answers is printed too, and ends in exit code 1, 3, 4 or 5.
    Exit code 5: the request may have been acted on; look before you repeat it.

    \b
    Examples:
      pokitdok request GET /activities/
      pokitdok request GET /providers/ -q city=Charleston -q state=SC
      pokitdok request POST /eligibility/ --data question.json
      jq .claim claims.json | pokitdok request POST /claims/ --data -
    """
    if not path.startswith("/") or path.startswith(ROOT):
        raise click.UsageError(f"PATH begins with a slash and follows {ROOT}: /activities/ for example")
    if "?" in path:
        raise click.UsageError("PATH has a query: pass it as -q NAME=VALUE, which is quoted and kept out of logs")
    if "#" in path or not path.isprintable() or {".", ".."} & set(path.split("/")):
        raise click.UsageError("PATH holds a #, a control character, or a part . or .., and would lead elsewhere")
    params = [(name, value) for name, _, value in (pair.partition("=") for pair in pairs)]
    body = None if data is None else read_document(data)
    operation, known_path = operation_for(method.upper(), path, body)
    session.as_json = True
    session.show_content(session.send(operation, f"{ROOT}{known_path}", body=body, params=params).content)


@click.command("trading-partners")
@click.argument("trading_partner_id", required=False)
@click.option("--search", metavar="TEXT", default="", help="Only those with TEXT in their id or name.")
@click.option("--transaction", metavar="SET", help="Only those that take this transaction, such as 270 or 837.")
@JSON_OPTION
@pass_session
def trading_partners(
    session: Session, trading_partner_id: str | None, search: str, transaction: str | None, as_json: bool
) -> int:
    """List trading partners, or show one of them.

    \b
    Examples:
      pokitdok trading-partners --search blue --transaction 270
      pokitdok trading-partners MOCKPAYER
      pokitdok trading-partners --json | jq -r '.data[].id'
    """
    if trading_partner_id:
        path = GET_TRADING_PARTNER.path.replace("{trading_partner_id}", path_segment("ID", trading_partner_id))
        answer = session.ask(GET_TRADING_PARTNER, path)
        found = [answer.get("data") or {}]
    else:
        answer = session.ask(LIST_TRADING_PARTNERS)
        found = [entry for entry in answer.get("data") or [] if _fits(entry, search, transaction)]
        answer = {**answer, "data": found}
    if as_json:
        session.show_json(answer)
        return _exits.DONE
    if not found:
        session.note("no trading partner fits")
        return _exits.NO
    show_rows(session.out, ("id", "name", "transactions", "in use"), map(_partner, found), whole=("id",))
    return _exits.DONE


def _partner(entry: dict[str, Any]) -> tuple[object, ...]:
    enabled = entry.get("is_enabled")
    sets = ", ".join(map(str, entry.get("supported_transactions") or []))
    return entry.get("id"), entry.get("name"), sets, "" if enabled is None else "yes" if enabled else "no"


def _fits(entry: dict[str, Any], search: str, transaction: str | None) -> bool:
    text = f"{entry.get('id')} {entry.get('name')}".lower()
    sets = {str(each) for each in entry.get("supported_transactions") or []}
    return search.lower() in text and (transaction is None or transaction in sets)


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox(arguments: tuple[str, ...]) -> int:
    """Start the sandbox: a platform on this machine.

    \b
    Examples:
      pokitdok sandbox                    on its usual port, until Ctrl-C
      pokitdok sandbox --port 0 --speed 60
      pokitdok sandbox --help             all its options
    """
    from pokitdok_sandbox.__main__ import main  # noqa: PLC0415 - a package of its own, which other commands do not need

    return main(list(arguments))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the lines that let SHELL complete commands, options and paths.

    \b
    Examples:
      pokitdok completion bash > ~/.local/share/bash-completion/completions/pokitdok
      pokitdok completion zsh > ~/.zfunc/_pokitdok
      pokitdok completion fish > ~/.config/fish/completions/pokitdok.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has all three
    click.echo(kind(context.find_root().command, {}, "pokitdok", "_POKITDOK_COMPLETE").source())
