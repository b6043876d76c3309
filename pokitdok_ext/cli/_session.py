"""What the commands of one run share: choices, the client, where to write. Made by the root command."""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from pokitdok_api._operations import Operation
from pokitdok_api._requests import RequestParts, query
from pokitdok_api.errors import APIError
from pokitdok_ext._client import ConnectedClient, connect
from pokitdok_ext._errors import ConfigurationError
from pokitdok_ext._file_store import FileStore

from . import _profiles

_PIPE_WIDTH = 400

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
        as_json: Whether an error of the API is shown as JSON too.
    """

    profile_name: str | None
    profiles_file: Path
    base_url: str | None
    client_id: str | None
    timeout: float
    keeps_token: bool = True
    as_json: bool = False

    @cached_property
    def out(self) -> Console:
        """For what was asked for. A terminal gets colours and its width; a pipe neither. `NO_COLOR` is honoured."""
        return Console(highlight=False, emoji=False, markup=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)

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
        return connect(client_id, self._secret(client_id), base_url=base_url, timeout=self.timeout, store=store)

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

    def ask(
        self, operation: Operation, path: str | None = None, *, body: Any = None, params: Iterable[tuple[str, Any]] = ()
    ) -> Any:
        """Send a request of *operation* and return the decoded answer as it is.

        Raises:
            PokitDokError: The API refuses it, or there is no token.
            httpx.HTTPError: There is no answer.
        """
        try:
            return self.client.call(_parts(operation, path, body, params), _as_it_is).parsed
        except APIError as error:
            if self.as_json and error.body is not None:
                self.show_json(error.body.to_dict())
            raise

    async def aask(self, operation: Operation, *, body: Any) -> Any:
        """As `ask`, on the running event loop; an error is raised and nothing shown."""
        return (await self.client.acall(_parts(operation, None, body, ()), _as_it_is)).parsed

    def show_json(self, document: Any) -> None:
        """Write *document* to the output: coloured in a terminal, plain in a pipe."""
        if self.out.is_terminal:
            self.out.print_json(data=document)
        else:
            click.echo(json.dumps(document, indent=2))

    def note(self, text: str) -> None:
        """Write a line beside the output."""
        self.err.print(printable(text), soft_wrap=True)


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


def printable(value: object) -> str:
    """*value* as text without control characters: what a server sends must not steer a terminal."""
    text = "" if value is None else str(value)
    return "".join(sign if sign.isprintable() or sign in "\n " else "\N{REPLACEMENT CHARACTER}" for sign in text)


def read_document(source: str) -> Any:
    """The JSON of a file, or of the standard input for `-`.

    Raises:
        click.UsageError: It cannot be read or is not JSON. Its content is not quoted: it may be a patient's.
    """
    name = "the standard input" if source == "-" else source
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{name} is not UTF-8") from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
    raise click.UsageError(f"{name} is not JSON: {place}")


def read_object(source: str) -> dict[str, Any]:
    """As `read_document`, for a JSON object.

    Raises:
        click.UsageError: It is another kind of JSON.
    """
    document = read_document(source)
    if not isinstance(document, Mapping):
        raise click.UsageError(f"{'the standard input' if source == '-' else source} holds no JSON object")
    return dict(document)


pass_session = click.make_pass_decorator(Session)
