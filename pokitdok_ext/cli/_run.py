"""The root command, and how a run ends."""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click
from click.types import StringParamType

from pokitdok_api.errors import APIError, InvalidResponseError, PokitDokError
from pokitdok_ext import __version__

from . import _exits, _profiles
from ._activity import activity
from ._claims import claims
from ._commands import completion, request, sandbox, token, trading_partners
from ._documents import in_unicode
from ._eligibility import eligibility
from ._session import Session

_EPILOG = f"""\
\b
Start:
  pokitdok sandbox                            in a second terminal: it stands in for the retired platform
  export POKITDOK_BASE_URL=http://127.0.0.1:8400
  export POKITDOK_CLIENT_ID=sandbox-client-id POKITDOK_CLIENT_SECRET=sandbox-client-secret
  pokitdok trading-partners --search mock
  pokitdok eligibility -t MOCKPAYER --npi 1234567893
\b
A profile, in {_profiles.USUAL_FILE} (chmod 600):
  [default]
  base_url = "https://api.example.com"
  client_id = "my-application"
  client_secret_command = ["secret-tool", "lookup", "service", "pokitdok"]
  # or client_secret_file = "~/.config/pokitdok/secret", or client_secret_env = "NAME"
  trading_partner = "MOCKPAYER"
  npi = "1234567893"

A secret is never an argument: arguments are seen by other users and stay in the shell's history. So do the names of
patients: leave them out and they are asked for, or pass a file.

\b
Exit codes:
{_exits.TABLE}
"""


def _profile_names(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    file = context.params.get("profiles") or _profiles.default_file()
    try:
        return [name for name in _profiles.load(file) if name.startswith(begun)]
    except PokitDokError:  # a completion says nothing
        return []


class _Commands(click.Group):
    """Ends a command that fails with lines on the error output and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; its exit code, or None for `DONE`."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            if ctx.obj.acting is not None:
                ctx.obj.note(f"\npokitdok: {_exits.warning_for(ctx.obj.acting)}")
            raise
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except BrokenPipeError:  # the reader has gone, as `head` does
            _discard_output()
            return _exits.DONE
        except Exception as error:  # noqa: BLE001 - whatever broke, its text could quote a patient
            return _failed(ctx.obj, error)


def _discard_output() -> None:
    """Let what cannot be written go; Python would try again at its end, and exit with a code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(session: Session, error: Exception) -> int:
    if isinstance(error, OSError):
        _discard_output()
    code = _exits.code_for(error)
    shown = session.as_json or session.acting is not None  # what acts cannot be asked again to be shown
    if shown and isinstance(error, APIError | InvalidResponseError) and error.content:
        session.show_content(error.content)
    session.note(f"pokitdok: {_exits.text_for(error, shown=shown)}")
    if session.acting is not None:
        session.note(f"pokitdok: {_exits.warning_for(session.acting, error)}")
    if code == _exits.BUG and os.environ.get("POKITDOK_TRACEBACK"):
        raise error  # for whoever looks for the fault; its last line may quote a patient
    return code if session.acting is None else _exits.MAY_HAVE_ACTED


@click.group(
    cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--profile", metavar="NAME", envvar="POKITDOK_PROFILE", help="Profile to use.", shell_complete=_profile_names
)
@click.option(
    "--profiles",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="POKITDOK_PROFILES",
    help=f"File of profiles.  [default: {_profiles.USUAL_FILE}]",
)
@click.option("--base-url", metavar="URL", help="Scheme and host of the API.  [env var: POKITDOK_BASE_URL]")
@click.option("--client-id", metavar="ID", help="Of the application.  [env var: POKITDOK_CLIENT_ID]")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    metavar="SECONDS",
    show_default=True,
    help="For one request.",
)
@click.option("--no-token-file", is_flag=True, help="Do not keep the token for the next run, nor use a kept one.")
@click.version_option(__version__, prog_name="pokitdok")
@click.pass_context
def pokitdok(
    context: click.Context,
    *,
    profile: str | None,
    profiles: Path | None,
    base_url: str | None,
    client_id: str | None,
    timeout: float,
    no_token_file: bool,
) -> None:
    """Talk to the PokitDok Platform API v4, or to the sandbox that stands in for it."""
    file = profiles or _profiles.default_file()
    session = context.obj = Session(profile, file, base_url, client_id, timeout, keeps_token=not no_token_file)
    context.call_on_close(session.close)


for command in (token, request, eligibility, claims, activity, trading_partners, sandbox, completion):
    pokitdok.add_command(command)


class _Text(StringParamType):
    """A text that is sent, which is UTF-8 whatever the locale. Names of files stay as Python has decoded them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text as it was typed."""
        return in_unicode(super().convert(value, param, ctx))


def _read_texts(command: click.Command) -> None:
    for each in command.params:
        if type(each.type) is StringParamType and each.metavar != "FILE":
            each.type = _Text()
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        _read_texts(below)


_read_texts(pokitdok)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the locale cannot write ends no command
    try:
        code = pokitdok.main(args=arguments, prog_name="pokitdok", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return _exits.USAGE
    except (click.Abort, KeyboardInterrupt):
        print("Interrupted.", file=sys.stderr)
        return _exits.INTERRUPTED
    return code if isinstance(code, int) else _exits.DONE
