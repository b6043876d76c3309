"""What the commands of one run share: choices, the client, where to write. Made by the root command."""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.highlighter import JSONHighlighter

from pokitdok_api._operations import Operation
from pokitdok_api._requests import RequestParts, query
from pokitdok_api.errors import InvalidResponseError
from pokitdok_api.types import Response
from pokitdok_ext._client import ConnectedClient, connect
from pokitdok_ext._errors import ConfigurationError
from pokitdok_ext._file_store import FileStore

from . import _exits, _profiles
from ._documents import decoded, with_numbers, within
from ._tables import printable

_PIPE_WIDTH = 100_000

_NO_PROFILE = "there is no profile {name} in {file}; there are: {known}"


@dataclass
class Session:
    """One run of the command.

    Attributes:
        profile_name: What `--profile` says.
        profiles_file: Where profiles are.
        base_url: What `--base-url` says.
        client_id: What `--client-id` says.
        timeout: Seconds for a request.
        keeps_token: Whether the token is kept in a file for the next run.
        as_json: Whether an error of the API is shown too.
        acting: The operation of a request that acts, from when it is sent until it is known that it was not acted on;
            a command that fails with it set has to say so.
    """

    profile_name: str | None
    profiles_file: Path
    base_url: str | None
    client_id: str | None
    timeout: float
    keeps_token: bool = True
    as_json: bool = False
    acting: Operation | None = None

    @cached_property
    def out(self) -> Console:
        """For what was asked for. A terminal gets colours and its width; a pipe neither. `NO_COLOR` is honoured."""
        return _Console(highlight=False, emoji=False, markup=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)

    @cached_property
    def err(self) -> Console:
        """For everything else."""
        return Console(stderr=True, highlight=False, emoji=False, markup=False)

    @cached_property
    def profile(self) -> _profiles.Profile:
        """The profile that was named; else the one called default, unless arguments or environment name an application.

        Raises:
            ConfigurationError: The one that was named is not there, or the file cannot be used.
        """
        if self.profile_name is None and (self.client_id or os.environ.get("POKITDOK_CLIENT_ID")):
            return _profiles.Profile(_profiles.DEFAULT)
        known = _profiles.load(self.profiles_file)
        name = self.profile_name or _profiles.DEFAULT
        if name in known:
            return known[name]
        if self.profile_name is None:
            return _profiles.Profile(_profiles.DEFAULT)
        raise ConfigurationError(
            _NO_PROFILE.format(name=name, file=self.profiles_file, known=", ".join(sorted(known)) or "none")
        )

    @cached_property
    def client(self) -> ConnectedClient:
        """The client, made on first use.

        Raises:
            ConfigurationError: The choices do not make one.
        """
        client_id = self.client_id or self.profile.client_id or os.environ.get("POKITDOK_CLIENT_ID")
        if not client_id:
            raise ConfigurationError(
                "no client id: set POKITDOK_CLIENT_ID and POKITDOK_CLIENT_SECRET, or write a profile to "
                f"{self.profiles_file} (pokitdok --help shows one)"
            )
        base_url = self.base_url or self.profile.base_url
        store = FileStore() if self.keeps_token else None
        return connect(
            client_id, self._secret(client_id), base_url=base_url, timeout=self.timeout, store=store, decode=decoded
        )

    def close(self) -> None:
        """Close the client, if one was made."""
        if "client" in self.__dict__:
            self.client.close()

    def _secret(self, client_id: str) -> str:
        secret = self.profile.secret()
        if secret is None:
            secret = os.environ.get("POKITDOK_CLIENT_SECRET")
        if not secret and sys.stdin.isatty():
            secret = click.prompt(f"Secret of {client_id}", hide_input=True, err=True)
        if not secret:
            raise ConfigurationError(
                "no client secret: set POKITDOK_CLIENT_SECRET, or let the profile name client_secret_file, "
                "client_secret_env or client_secret_command; in a terminal it is asked for"
            )
        return str(secret)

    def reveal_token(self) -> str:
        """The token itself."""
        return self.client.tokens.manager.get().value.reveal()

    def send(
        self, operation: Operation, path: str | None = None, *, body: Any = None, params: Iterable[tuple[str, Any]] = ()
    ) -> Response[Any]:
        """Send a request of *operation*; the answer has its bytes and what they say, None where there is no content.

        Raises:
            PokitDokError: The API refuses it, its answer is not JSON, or there is no token.
            httpx.HTTPError: There is no answer.
        """
        client, parts = self.client, _parts(operation, path, body, params)
        self.acting = operation if operation.retry == "unsafe" else None
        try:
            return client.call(parts, _as_it_is)
        except InvalidResponseError as error:
            if error.status_code == HTTPStatus.NO_CONTENT:
                return Response(error.status_code, {}, b"", None)
            raise
        except Exception as error:
            if not _exits.acted(operation, error):
                self.acting = None
            raise

    def ask(
        self, operation: Operation, path: str | None = None, *, body: Any = None, params: Iterable[tuple[str, Any]] = ()
    ) -> Any:
        """As `send`, for what the answer says.

        Raises:
            InvalidResponseError: The request acts, and the answer names no activity.
        """
        answer = self.send(operation, path, body=body, params=params)
        if self.acting is not None and activity_of(answer.parsed) is None:
            raise InvalidResponseError(
                operation=operation,
                status_code=answer.status_code,
                place="it names no activity",
                headers=answer.headers,
                content=answer.content,
            )
        return answer.parsed

    async def aask(self, operation: Operation, *, body: Any) -> Any:
        """What the answer to a question says, on the running event loop; errors are those of `send`."""
        return (await self.client.acall(_parts(operation, None, body, ()), _as_it_is)).parsed

    def show_json(self, document: Any) -> None:
        """Write *document* to the output: coloured in a terminal, plain in a pipe. Amounts of money are numbers."""
        self._print_json(with_numbers(document))

    def show_content(self, content: bytes) -> None:
        """Write an answer to the output as it came; if it is JSON, on many lines."""
        try:
            document = decoded(content)
        except (ValueError, RecursionError):
            pass
        else:
            self._print_json(document)
            return
        if self.out.is_terminal:
            text = printable(content.decode("utf-8", "backslashreplace").replace("\r\n", "\n"))
            self.out.print(text.rstrip("\n"), soft_wrap=True)
        elif content:
            click.echo(content, nl=not content.endswith(b"\n"))

    def _print_json(self, document: Any) -> None:
        if self.out.is_terminal:
            text = json.dumps(document, indent=2, ensure_ascii=not self.out.encoding.startswith("utf"))
            safe = "".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in text)
            self.out.print(JSONHighlighter()(safe), soft_wrap=True)
        else:
            click.echo(json.dumps(document, indent=2))

    def note(self, text: str) -> None:
        """Write a line beside the output."""
        self.err.print(printable(text), soft_wrap=True)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the error through: rich would end the program with an exit code of its own."""
        raise  # noqa: PLE0704 - rich calls this where it has caught the error


def activity_of(answer: Any) -> str | None:
    """The id of the activity that *answer* tells of, None if it tells of none."""
    found = within(answer, "meta", "activity_id"), within(answer, "data", "id")
    return next((each for each in found if isinstance(each, str) and each), None)


def _parts(operation: Operation, path: str | None, body: Any, params: Iterable[tuple[str, Any]]) -> RequestParts:
    content = None if body is None else json.dumps(body).encode()
    return RequestParts(
        operation=operation,
        path=path or operation.path,
        params=query(*params),
        content=content,
        media_type=None if content is None else "application/json",
    )


def _as_it_is(document: Any) -> Any:
    return document


pass_session = click.make_pass_decorator(Session)
