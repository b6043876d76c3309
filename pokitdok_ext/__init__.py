"""The hand-written layer over the generated `pokitdok_api`: start at `connect()`.

Names only, each imported on first use, so that importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pokitdok_api.errors import (
        APIError,
        AuthenticationError,
        ClientClosedError,
        InvalidRequestError,
        InvalidResponseError,
        NotFoundError,
        PaymentRequiredError,
        PokitDokError,
        RateLimitError,
        ScopeError,
        ServerError,
        TradingPartnerRejectionError,
    )

    from ._authorization import AuthorizationUrl, authorization_code, authorization_url
    from ._client import ConnectedClient, connect
    from ._clock import Clock
    from ._errors import (
        AuthorizationRequiredError,
        ConfigurationError,
        InvalidClientError,
        PermanentTokenError,
        TokenEndpointMovedError,
        TokenError,
        TokenForbiddenError,
        TokenRefusedError,
        TokenResponseError,
        TokenThrottledError,
        TokenUnavailableError,
    )
    from ._file_store import FileStore
    from ._redis_store import RedisStore
    from ._retries import Retry, retrying
    from ._stores import StoredToken, StoreError, TokenStore
    from ._token_reports import TokenEvent, TokenState
    from ._tokens import TokenPolicy

__version__ = "0.1.0"

__all__ = [
    "APIError",
    "AuthenticationError",
    "AuthorizationRequiredError",
    "AuthorizationUrl",
    "ClientClosedError",
    "Clock",
    "ConfigurationError",
    "ConnectedClient",
    "FileStore",
    "InvalidClientError",
    "InvalidRequestError",
    "InvalidResponseError",
    "NotFoundError",
    "PaymentRequiredError",
    "PermanentTokenError",
    "PokitDokError",
    "RateLimitError",
    "RedisStore",
    "Retry",
    "ScopeError",
    "ServerError",
    "StoreError",
    "StoredToken",
    "TokenEndpointMovedError",
    "TokenError",
    "TokenEvent",
    "TokenForbiddenError",
    "TokenPolicy",
    "TokenRefusedError",
    "TokenResponseError",
    "TokenState",
    "TokenStore",
    "TokenThrottledError",
    "TokenUnavailableError",
    "TradingPartnerRejectionError",
    "authorization_code",
    "authorization_url",
    "connect",
    "retrying",
]

_HOMES = {
    "AuthorizationUrl": "_authorization",
    "Clock": "_clock",
    "ConnectedClient": "_client",
    "FileStore": "_file_store",
    "RedisStore": "_redis_store",
    "Retry": "_retries",
    "StoreError": "_stores",
    "StoredToken": "_stores",
    "TokenEvent": "_token_reports",
    "TokenPolicy": "_tokens",
    "TokenState": "_token_reports",
    "TokenStore": "_stores",
    "authorization_code": "_authorization",
    "authorization_url": "_authorization",
    "connect": "_client",
    "retrying": "_retries",
}
"""The modules of the names that are not in one of the two modules of errors."""

if not TYPE_CHECKING:  # a type checker would take any misspelled name for one of these

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = f"pokitdok_ext.{_HOMES.get(name, '_errors')}"
        if not hasattr(import_module(home), name):
            home = "pokitdok_api.errors"
        value = globals()[name] = getattr(import_module(home), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
