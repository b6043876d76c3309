"""What goes wrong before the API has answered: configuration and tokens.

The errors of the API itself are generated (`pokitdok_api.errors`); these share their root:

    PokitDokError
        ConfigurationError              what connect() was given cannot work
        TokenError                      there is no token to send, or the API refuses the one we have
            InvalidClientError          client id, secret or scope refused
            AuthorizationRequiredError  a user has to consent anew: code or refresh token is used up or refused
            PermanentTokenError         a token provider says that asking again is pointless
            TokenForbiddenError         403 from the token endpoint, often a firewall
            TokenThrottledError         429 from the token endpoint
            TokenUnavailableError       token endpoint down, unreachable or too slow; token provider failed
            TokenEndpointMovedError     the token endpoint is not at this address
            TokenResponseError          the token answer cannot be used
            TokenRefusedError           the API refused a token for good; an AuthenticationError too

Texts hold method, URL without query, status and OAuth error code; never a secret, a token, a header or a body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pokitdok_api.errors import AuthenticationError, PokitDokError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pokitdok_api._operations import Operation


class ConfigurationError(PokitDokError):
    """What `connect()` was given cannot work; the text shows what to pass."""


class TokenError(PokitDokError):
    """There is no token to send with the request.

    Attributes:
        transient: Whether another try within the same call can help.
    """

    transient: bool = False

    def __str__(self) -> str:
        return str(self.args[0])


class InvalidClientError(TokenError):
    """The token endpoint refused the client: id, secret, grant or scope (RFC 6749, 5.2). Fix the credentials.

    Attributes:
        code: The error code that it gave, such as `invalid_client`; None if it gave none that the RFC knows.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message, code)
        self.code = code


class AuthorizationRequiredError(TokenError):
    """The authorization code or the refresh token is used up, expired or revoked (RFC 6749, `invalid_grant`).

    Send the user through `authorization_url()` again and connect with the new code.
    """


class PermanentTokenError(TokenError):
    """Raise this in a token provider when asking again is pointless; it is then left alone for a while."""


class TokenForbiddenError(TokenError):
    """The token endpoint answered 403. Often a firewall or an address that is not allow-listed."""


class TokenThrottledError(TokenError):
    """The token endpoint answered 429.

    Attributes:
        retry_after: Seconds to wait as the server asks, at most an hour; None if it did not say.
    """

    transient = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after)
        self.retry_after = retry_after


class TokenUnavailableError(TokenError):
    """The token source is down, unreachable, too slow, or failed. Try again later."""

    def __init__(self, message: str, transient: bool = True) -> None:
        super().__init__(message, transient)
        self.transient = transient


class TokenEndpointMovedError(TokenError):
    """The token endpoint redirects or does not exist. Redirects are not followed: check `base_url`."""


class TokenResponseError(TokenError):
    """The token endpoint answered with something that is not a usable token."""

    transient = True


class TokenRefusedError(TokenError, AuthenticationError):
    """The API answered 401, and a renewal does not help: the token is a static one, or brand-new.

    It has the attributes of an `AuthenticationError`; `body` is None, the answer is in `content`.
    """

    def __init__(self, message: str, *, operation: Operation, headers: Mapping[str, str], content: bytes = b"") -> None:
        super().__init__(
            operation=operation, status_code=401, headers=headers, content=content, body=None, activity_id=None
        )
        self.args = (message,)
