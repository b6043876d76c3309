"""The command ``python -m pokitdok_sandbox``: reads options, says where it listens, serves until told to stop."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pokitdok_sandbox import applications
from pokitdok_sandbox import settings as defaults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pokitdok_sandbox.tls import Tls

EXTRA = 'pip install "pokitdok-client[sandbox]"'


def main(argv: Sequence[str] | None = None) -> int:
    """Run the sandbox in the foreground; return the exit code."""
    options = _parser().parse_args(argv)
    try:
        from pokitdok_sandbox.app import create_app  # noqa: PLC0415 - a missing extra gets a sentence, not a traceback
        from pokitdok_sandbox.server import listen, serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return _fail(f"the sandbox needs {error.name}, which is not installed: {EXTRA}")
    try:
        chosen = defaults.Settings(
            client_id=options.client_id,
            client_secret=options.client_secret,
            speed=options.speed,
            advance=options.advance,
            db=options.db,
            strict=options.strict,
            empty=options.empty,
            seed=options.seed,
            modern=options.modern,
            applications=tuple(_application(text) for text in options.app),
            redirect_uris=tuple(options.redirect_uri),
            consent=options.consent,
            token_life=options.token_life,
            application_mode=options.mode,
            credits=options.credits,
            rate_limit=options.rate_limit,
        )
    except ValueError as error:
        return _fail(str(error))
    try:
        listener = listen(options.host, options.port)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return _fail(f"cannot listen on {options.host}:{options.port}: {reason}. Choose another with --port.")
    port = listener.getsockname()[1]
    host = f"[{options.host}]" if ":" in options.host else options.host
    try:
        prepared = _prepare(options.tls_dir, options.tls_name) if options.tls else None
        app = create_app(chosen)
    except ModuleNotFoundError as error:
        listener.close()
        return _fail(f"--tls needs {error.name}, which is not installed: {EXTRA}")
    except Exception as error:  # noqa: BLE001 - a contract or a database that cannot be used: its text names the remedy
        listener.close()
        return _fail(str(error))
    text = _welcome(f"{'https' if prepared else 'http'}://{host}:{port}", chosen)
    if prepared is not None:
        text += _trust(prepared.trust_lines, options.host, port)
    serve(app, listener, lambda: print(text, flush=True), prepared)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pokitdok_sandbox",
        description="A local server that stands in for the retired PokitDok Platform API v4.",
        epilog="While it runs: the header X-Sandbox-Fault: NAME gives one request a failure, and POST /_sandbox/faults "
        "gives it to all; a wrong name is answered with the list. GET /_sandbox/state counts, PATCH /_sandbox/settings "
        "changes limits and token life, POST /_sandbox/revoke-tokens withdraws all tokens, POST /_sandbox/reset starts "
        "over. docs/sandbox.md shows it all with curl.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default=defaults.DEFAULT_HOST, help="address to listen on")
    parser.add_argument("--port", type=int, default=defaults.DEFAULT_PORT, help="port to listen on, 0 for a free one")
    parser.add_argument("--client-id", default=defaults.DEFAULT_CLIENT_ID, help="id that the token endpoint accepts")
    parser.add_argument("--client-secret", default=defaults.DEFAULT_CLIENT_SECRET, help="secret that goes with it")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="pace of activities; 1 keeps a claim scheduled for five minutes"
    )
    parser.add_argument(
        "--advance",
        choices=defaults.ADVANCES,
        default=defaults.ADVANCES[0],
        help="what makes activities advance: time, one step a read, or all at once",
    )
    parser.add_argument("--db", metavar="FILE", help="SQLite file that keeps the state; memory when left out")
    parser.add_argument("--empty", action="store_true", help="begin without sample records; directories stay")
    parser.add_argument("--seed", type=int, help="make ids and tokens the same at every start; random when left out")
    parser.add_argument("--strict", action="store_true", help="refuse undocumented request fields instead of warning")
    parser.add_argument("--modern", action="store_true", help="plain content types instead of the recorded oddities")
    oauth = parser.add_argument_group("applications and tokens")
    oauth.add_argument(
        "--app",
        metavar="ID:SECRET",
        action="append",
        default=[],
        help="a further application; may be given several times",
    )
    oauth.add_argument(
        "--redirect-uri",
        metavar="URI",
        action="append",
        default=[],
        help="where the consent page at /oauth2/authorize may send users back to, exactly; may be given several times; "
        "anywhere on this machine when left out",
    )
    oauth.add_argument(
        "--consent",
        choices=defaults.CONSENTS,
        default="ask",
        help="ask: the consent page waits for a person; allow and deny decide at once, for scripts",
    )
    oauth.add_argument("--token-life", metavar="SECONDS", type=int, default=3600, help="life of an access token")
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--mode",
        choices=applications.MODES,
        default="test",
        help="application mode; production refuses billed calls with 402 when no credits are left",
    )
    limits.add_argument("--credits", type=int, default=10_000, help="credits of each application at the start")
    limits.add_argument(
        "--rate-limit",
        metavar="CALLS",
        type=int,
        help="calls per minute and application, refused with 403 above it; enforced only when given",
    )
    https = parser.add_argument_group("https")
    https.add_argument(
        "--tls", action="store_true", help="serve https, with a certificate from an authority of this sandbox's own"
    )
    https.add_argument(
        "--tls-dir",
        metavar="DIR",
        type=Path,
        help="folder that keeps the authority; one of the user's own state when left out",
    )
    https.add_argument(
        "--tls-name",
        metavar="NAME",
        action="append",
        default=[],
        help="a further host name or address of the certificate, beside localhost, 127.0.0.1, ::1 and "
        "platform.pokitdok.com; may be given several times",
    )
    return parser


def _prepare(directory: Path | None, names: list[str]) -> Tls:
    from pokitdok_sandbox.tls import default_directory, prepare  # noqa: PLC0415 - slow to load, and seldom needed

    return prepare(directory or default_directory(), names)


def _trust(lines: str, host: str, port: int) -> str:
    there = f":{port}" if port != 443 else ""
    return (
        "\nTrust it in the shell of the client, and only there:\n"
        f"{lines}\n"
        "For clients with that name built in, put this line into the hosts file; "
        f"they use port 443 (--port 443), this is https://platform.pokitdok.com{there}:\n"
        f"{host} platform.pokitdok.com"
    )


def _application(text: str) -> applications.Application:
    client_id, _, secret = text.partition(":")
    return applications.Application(client_id, secret)


def _welcome(url: str, chosen: defaults.Settings) -> str:
    if (chosen.client_id, chosen.client_secret) == (defaults.DEFAULT_CLIENT_ID, defaults.DEFAULT_CLIENT_SECRET):
        credentials = f"{chosen.client_id}:{chosen.client_secret}"
    else:  # a secret of somebody's own is not for the screen
        credentials = '"$POKITDOK_CLIENT_ID:$POKITDOK_CLIENT_SECRET"'
    token = f"curl -s -u {credentials} -d grant_type=client_credentials {url}/oauth2/token"
    cut = """sed -n 's/.*"access_token": *"\\([^"]*\\)".*/\\1/p'"""
    read = f"{url}/api/v4/activities/{defaults.WELL_KNOWN_ACTIVITY}"
    return (
        f"PokitDok sandbox listening on {url} (Ctrl-C ends it)\n"
        f'curl -s -H "Authorization: Bearer $({token} | {cut})" {read}'
    )


def _fail(text: str) -> int:
    print(f"python -m pokitdok_sandbox: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
