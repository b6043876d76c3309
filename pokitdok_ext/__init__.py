"""The hand-written layer over the generated `pokitdok_api`: start at `connect()`.

Names only, each imported on first use, so that importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pokitdok_api.errors import (
        APIError,
        AuthenticationError,
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

    from ._client import connect
    from ._errors import (
        ClientClosedError,
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
    from ._stores import StoredToken, StoreError, TokenStore
    from ._tokens import TokenState

__version__ = "0.1.0"

__all__ = [
    "APIError",
    "AuthenticationError",
    "ClientClosedError",
    "ConfigurationError",
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
    "ScopeError",
    "ServerError",
    "StoreError",
    "StoredToken",
    "TokenEndpointMovedError",
    "TokenError",
    "TokenForbiddenError",
    "TokenRefusedError",
    "TokenResponseError",
    "TokenState",
    "TokenStore",
    "TokenThrottledError",
    "TokenUnavailableError",
    "TradingPartnerRejectionError",
    "connect",
]

if not TYPE_CHECKING:  # a type checker would take any misspelled name for one of these
    _HOMES = {
        "FileStore": "_file_store",
        "RedisStore": "_redis_store",
        "StoreError": "_stores",
        "StoredToken": "_stores",
        "TokenState": "_tokens",
        "TokenStore": "_stores",
        "connect": "_client",
    }

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        errors = import_module("pokitdok_ext._errors")
        home = f"pokitdok_ext.{_HOMES.get(name, '_errors')}"
        if name not in _HOMES and not hasattr(errors, name):
            home = "pokitdok_api.errors"
        value = globals()[name] = getattr(import_module(home), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
