"""`PokitDokClient`: the old constructor, tokens and `request()` on top of `pokitdok_ext.connect()`."""

import json
import platform
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from pokitdok_api._log_filter import underway
from pokitdok_api._requests import query
from pokitdok_api.errors import AuthenticationError
from pokitdok_ext import __version__
from pokitdok_ext._authorization import authorization_url
from pokitdok_ext._client import connect
from pokitdok_ext._client_tokens import clock_of
from pokitdok_ext._paths import operation_for
from pokitdok_ext._retries import DEFAULT_RETRY, Retry
from pokitdok_ext._stand_ins import stand_in_for

from ._answers import read_answer
from ._directories import Directories, Identities, Scheduling
from ._token import TokenBook, TokenExpiredError
from ._transactions import Answer, Transactions

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


class PokitDokClient(Transactions, Directories, Scheduling, Identities):
    """The old official client's class, as of its version 2.8.1.

    An error that the platform answers comes back as a dictionary, as it always did; look at `status_code`, or at
    `data.errors` and `message` of the answer. Exceptions are for what is no answer: no token, no connection, no time, a
    body that is not JSON.

    Attributes:
        status_code: HTTP status of the last answer to the calling thread, or of the last at all if that has called
            nothing; 0 before the first.
        token: The token dictionary. Reading it fetches a token if none is there.
        typed: The client of the typed functions, with the same token: to move over one call after the other.
        api_client: Stands where the old one had its session; it has `token`.
        base_headers: Sent with every request.
        json_headers: Sent with every request that carries JSON.
        url_base, token_url, authorize_url: Addresses.
    """

    def __init__(  # noqa: PLR0917 - the old order, which callers rely on
        self,
        client_id: str | None = None,
        client_secret: str | None = None,
        base: str | None = None,
        version: str = "v4",
        redirect_uri: str | None = None,
        scope: list[str] | None = None,
        auto_refresh: bool = True,
        token_refresh_callback: Callable[[dict[str, Any]], object] | None = None,
        code: str | None = None,
        token: Mapping[str, Any] | None = None,
        *,
        timeout: float | httpx.Timeout | None = 60.0,
        retry: Retry | None = DEFAULT_RETRY,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Make a client. Nothing is sent before the first call, or before `token` is read.

        Args:
            client_id: Of the application; else `POKITDOK_CLIENT_ID`.
            client_secret: Of the application; else `POKITDOK_CLIENT_SECRET`.
            base: Scheme and host of the API; else `POKITDOK_BASE_URL`. There is no default: the platform is retired.
            version: Fills the path.
            redirect_uri: Registered for the application; for `authorization_url()` and *code*.
            scope: Names of scopes to ask for.
            auto_refresh: Whether a token that has ended is replaced. The old default was False, which ends every
                program after an hour; False still means `TokenExpiredError`.
            token_refresh_callback: Called with the token dictionary after each fetch, on the thread that fetched.
            code: From an authorization code grant: tokens are the user's.
            token: A saved token dictionary to start with.
            timeout: Seconds for a call.
            retry: What is sent again, as in `pokitdok_ext.connect()`; None for nothing.
            transport: Of httpx, for tests.

        Raises:
            ConfigurationError: The arguments and the environment do not make a client; the text says what to pass.
        """
        self._book = TokenBook(
            client_id,
            client_secret,
            redirect_uri=redirect_uri,
            scope=scope,
            renews=auto_refresh,
            callback=token_refresh_callback,
            code=code,
            token=token,
        )
        self.typed = connect(
            token_provider=self._book.provide,
            base_url=base,
            timeout=timeout,
            retry=retry,
            transport=transport,
        )
        root = self.typed.base_url
        self.url_base = f"{root}/api/{version}"
        self.token_url = f"{root}/oauth2/token"
        self.authorize_url = f"{root}/oauth2/authorize"
        self._book.connect_to(root, transport or stand_in_for(root).transport, clock_of(self.typed))
        self.redirect_uri = redirect_uri
        self.scope = scope
        self.code = code
        system = f"{platform.python_version()}#{platform.system()}#{platform.release()}"
        self.base_headers = {"User-Agent": f"pokitdok-client/{__version__} pokitdok-python#compat#{system}"}
        self.json_headers = {"Content-Type": "application/json", **self.base_headers}
        self._statuses = threading.local()
        self._last_status = 0

    def __repr__(self) -> str:
        return f"PokitDokClient(base={self.typed.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and let go of the token."""
        self.typed.close()

    # ------------------------------------------------------------ token

    @property
    def client_id(self) -> str:
        """Of the application."""
        return self._book.client_id

    @property
    def client_secret(self) -> str:
        """Of the application."""
        return self._book.client_secret.reveal()

    @property
    def auto_refresh(self) -> bool:
        """Whether a token that has ended is replaced."""
        return self._book.renews

    @auto_refresh.setter
    def auto_refresh(self, renews: bool) -> None:
        self._book.renews = renews

    @property
    def token_refresh_callback(self) -> Callable[[dict[str, Any]], object] | None:
        """Called with the token dictionary after each fetch."""
        return self._book.callback

    @token_refresh_callback.setter
    def token_refresh_callback(self, callback: Callable[[dict[str, Any]], object] | None) -> None:
        self._book.callback = callback

    @property
    def token(self) -> dict[str, Any]:
        """The token dictionary; fetched if none is there."""
        self.typed.tokens.warm()
        return self._book.latest

    @token.setter
    def token(self, token: Mapping[str, Any] | None) -> None:
        self._book.start_with(token)
        self.typed.tokens.invalidate()

    @property
    def api_client(self) -> "Session":
        """What the old client kept its token in."""
        return Session(self)

    def initialize_api_client(self) -> None:
        """Nothing is left to do here; kept because programs call it."""

    def authorization_url(self) -> tuple[str, str]:
        """Where to send a user who is to grant the scopes, and the state that must come back with the code.

        Raises:
            ConfigurationError: The client was made without *redirect_uri*.
        """
        return authorization_url(
            self.client_id, redirect_uri=self.redirect_uri or "", scope=self.scope, base_url=self.typed.base_url
        )

    def fetch_access_token(self, code: str | None = None) -> dict[str, Any]:
        """Fetch a token now, whatever is there, and return its dictionary.

        Args:
            code: What came back from `authorization_url()`; the token is the user's from here on. A code is used once:
                after it, and without it, the refresh token is.

        Raises:
            TokenError: None can be had; `AuthorizationRequiredError` if the user has to consent anew.
        """
        self._book.fetch_next(code)
        self.typed.tokens.invalidate()
        return self.token

    # ------------------------------------------------------------ calls

    @property
    def status_code(self) -> int:
        """HTTP status of the last answer to this thread."""
        return int(getattr(self._statuses, "last", self._last_status))

    @status_code.setter
    def status_code(self, status: int) -> None:
        self._statuses.last = self._last_status = status

    def request(self, path: str, method: str = "get", data: Any = None, files: Any = None, **kwargs: Any) -> Answer:
        """Send a request and return the decoded answer, whatever its status; {} if it has no content.

        Args:
            path: After the root of the API, such as `/activities/`.
            method: Of HTTP, in any case.
            data: Sent as JSON, as it is; fields of a form if there are *files*.
            files: By field: a file open in binary mode, or (name, content, media type).
            kwargs: The query; None leaves a parameter out, a list repeats it.

        Raises:
            TokenError: There is no token.
            AuthenticationError: The platform refuses the request for another reason than a token that has ended.
            APIError: The answer is an error that is not JSON, such as a page of a proxy; its kind is by status.
            InvalidResponseError: The answer is a success that is not JSON.
            httpx.HTTPError: No answer.
        """
        verb = method.upper()
        operation, known_path = operation_for(verb, path, data)
        http = self.typed.get_httpx_client()
        request = http.build_request(
            verb,
            f"{self.url_base}{known_path}",
            params=query(*kwargs.items()) or None,
            extensions={"pokitdok.operation": operation},
            **self._body(verb, data, files),
        )
        request.read()  # a form becomes bytes, so that it can be sent again after a renewal of the token
        try:
            with underway(request.url, operation.path):
                response = http.send(request)
        except (AuthenticationError, TokenExpiredError):
            self.status_code = 401
            raise
        self.status_code = response.status_code
        return read_answer(operation, response)

    def _body(self, verb: str, data: Any, files: Any) -> dict[str, Any]:
        if files:
            return {"data": data, "files": files, "headers": self.base_headers}
        if data is None or (not data and verb in _WITHOUT_BODY):
            return {"headers": self.base_headers}
        return {"content": json.dumps(data).encode(), "headers": self.json_headers}


class Session:
    """What `api_client` shows."""

    def __init__(self, client: PokitDokClient) -> None:
        self._client = client

    @property
    def token(self) -> dict[str, Any]:
        """The client's token dictionary."""
        return self._client.token
