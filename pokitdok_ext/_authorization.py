"""A user's consent (RFC 6749, 4.1): where to send the user, and the code in what comes back. Nothing is sent here."""

import os
import secrets
from collections.abc import Iterable
from hmac import compare_digest
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from ._errors import AuthorizationRequiredError, ConfigurationError
from .settings import api_root


class AuthorizationUrl(NamedTuple):
    """Where to send the user, and the state to keep until the user is back."""

    url: str
    state: str


def scope_text(scope: str | Iterable[str] | None) -> str:
    """Scope names as RFC 6749, 3.3 writes them: separated by spaces."""
    return "" if scope is None else scope if isinstance(scope, str) else " ".join(scope)


def authorization_url(
    client_id: str | None = None,
    *,
    redirect_uri: str,
    scope: str | Iterable[str] | None = None,
    state: str | None = None,
    base_url: str | None = None,
) -> AuthorizationUrl:
    """The page on which a user lets the application act for them (RFC 6749, 4.1.1).

    Keep `state` in the user's session, and give it to `authorization_code()` with the address the user comes back to.

    Args:
        client_id: Of the application; else `POKITDOK_CLIENT_ID`.
        redirect_uri: Where the user comes back to; character for character as registered for the application.
        scope: Names such as `user_schedule`, as a list or separated by spaces.
        state: Ties the answer to the user's session; random if not given.
        base_url: As for `connect()`.

    Raises:
        ConfigurationError: An argument is missing or cannot work.
    """
    client_id = client_id or os.environ.get("POKITDOK_CLIENT_ID")
    if not client_id or not redirect_uri:
        raise ConfigurationError("authorization_url() needs client_id (or POKITDOK_CLIENT_ID) and redirect_uri")
    state = state or secrets.token_urlsafe(24)
    query = {"response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri}
    query |= {"scope": scope_text(scope), "state": state}
    pairs = urlencode({name: value for name, value in query.items() if value})
    return AuthorizationUrl(f"{api_root(base_url)}/oauth2/authorize?{pairs}", state)


def authorization_code(redirected_to: str, *, state: str) -> str:
    """The code in the address that the user came back to (RFC 6749, 4.1.2); pass it to `connect(code=...)` once.

    Raises:
        AuthorizationRequiredError: The user refused, or this is not the answer to the request that had *state*.
    """
    query = parse_qs(urlsplit(redirected_to).query)
    if not compare_digest(query.get("state", [""])[0].encode(), state.encode()):
        raise AuthorizationRequiredError(
            "the redirect has another state than the request: it is not its answer. Send the user through "
            "authorization_url() again"
        )
    if query.get("error") == ["access_denied"]:
        raise AuthorizationRequiredError("the user or the platform refused the application (access_denied)")
    code = query.get("code", [""])[0]
    if not code:
        raise AuthorizationRequiredError("the redirect has no code: the authorization failed, start it again")
    return code
