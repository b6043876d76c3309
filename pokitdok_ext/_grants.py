"""The grants of OAuth at a token endpoint: client credentials, and a user's consent with its refresh tokens.

What goes over the wire is `_token_endpoint.py`; when a grant is asked for is `_manager.py`.
"""

from collections.abc import Hashable, Mapping

from ._errors import (
    AuthorizationRequiredError,
    InvalidClientError,
    TokenError,
    TokenForbiddenError,
    TokenThrottledError,
)
from ._sources import TokenRequest, TokenSource
from ._token_endpoint import TokenEndpoint, demand_utf8, never_left
from ._tokens import Secret, TokenGrant


class ClientCredentials(TokenSource):
    """The client credentials grant (RFC 6749, 4.4). The grant is its own renewal.

    Args:
        endpoint: Where to ask.
        scope: Space-separated names, or "" to leave it to the server.
    """

    def __init__(self, endpoint: TokenEndpoint, scope: str = "") -> None:
        self._endpoint = endpoint
        demand_utf8(scope=scope)
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._scope = " ".join(sorted(scope.split()))

    @property
    def share_key(self) -> Hashable | None:
        """Endpoint with its secret, and scope."""
        return self._endpoint.key, self._scope

    @property
    def identity(self) -> tuple[str, ...]:
        """Endpoint, application, style and scope."""
        return "client_credentials", self._endpoint.url, self._endpoint.client_id, self._endpoint.style, self._scope

    @property
    def secret_rotates(self) -> bool:
        """Whether the secret has a provider."""
        return self._endpoint.rotates

    def fetch(self, request: TokenRequest) -> TokenGrant:
        """Ask the token endpoint."""
        return self._endpoint.ask(self._form, request.limit)

    def secret_changed(self) -> bool:
        """Whether its provider has another secret."""
        return self._endpoint.secret_changed()

    def secret_check(self, key: str) -> str:
        """By the endpoint's secret."""
        return self._endpoint.secret_check(key)

    def revoke(self, token: Secret | None, refresh: Secret | None) -> None:  # noqa: ARG002 - this grant has none
        """Tell the endpoint."""
        if token is not None:
            self._endpoint.revoke(token)


class AuthorizationCode(TokenSource):
    """A user's consent: the authorization code grant, then its refresh tokens (RFC 6749, 4.1.3 and 6).

    A code is sent once. Nor is a refresh token sent again within one fetch once it may have arrived: the endpoint may
    have replaced it, and take its second appearance for a theft.

    Args:
        endpoint: Where to ask.
        code: From the redirect after the consent; None to start with *refresh_token*.
        redirect_uri: The same as in the authorization request.
        scope: Space-separated names; for the refresh request, which may not ask for more.
        refresh_token: From an earlier session.
    """

    def __init__(
        self,
        endpoint: TokenEndpoint,
        *,
        code: Secret | None = None,
        redirect_uri: str | None = None,
        scope: str = "",
        refresh_token: Secret | None = None,
    ) -> None:
        demand_utf8(code=code, redirect_uri=redirect_uri, scope=scope, refresh_token=refresh_token)
        self._endpoint = endpoint
        self._code = code
        self._redirect_uri = redirect_uri
        self._scope = scope
        self._refresh_token = refresh_token

    @property
    def identity(self) -> tuple[str, ...]:
        """Endpoint, application and scope; the account tells users apart."""
        scope = " ".join(sorted(self._scope.split()))
        return "authorization_code", self._endpoint.url, self._endpoint.client_id, scope

    def secret_check(self, key: str) -> str:
        """By the endpoint's secret."""
        return self._endpoint.secret_check(key)

    def fetch(self, request: TokenRequest) -> TokenGrant:
        """Trade the refresh token, or else the code."""
        refresh = request.refresh or self._refresh_token
        if refresh is not None:
            return self._trade({"grant_type": "refresh_token", "refresh_token": refresh.reveal()}, request.limit)
        code = self._code
        if code is None:
            raise AuthorizationRequiredError(_USED_UP)
        form = {"grant_type": "authorization_code", "code": code.reveal()}
        if self._redirect_uri is not None:
            form["redirect_uri"] = self._redirect_uri
        try:
            grant = self._trade(form, request.limit)
        except (InvalidClientError, TokenForbiddenError, TokenThrottledError):
            raise  # refused before the code was looked at
        except TokenError as error:
            if not never_left(error):
                self._code = None
            raise
        self._code = None
        return grant

    def _trade(self, form: Mapping[str, str], limit: float) -> TokenGrant:
        if self._scope:
            form = {**form, "scope": self._scope}
        try:
            return self._endpoint.ask(form, limit)
        except InvalidClientError as error:
            if error.code != "invalid_grant":
                raise
            raise AuthorizationRequiredError(f"{error.args[0].partition(':')[0]}: invalid_grant. {_USED_UP}") from None
        except TokenError as error:
            if not never_left(error) and not isinstance(error, TokenThrottledError):
                error.transient = False
            raise

    def revoke(self, token: Secret | None, refresh: Secret | None) -> None:
        """Tell the endpoint; the refresh token and the code are forgotten."""
        refresh, self._refresh_token, self._code = refresh or self._refresh_token, None, None
        for each in (refresh, token):
            if each is not None:
                self._endpoint.revoke(each)


_USED_UP = (
    "the authorization code or refresh token is used up, expired or revoked: send the user through "
    "authorization_url() again, and connect() with the new code"
)
