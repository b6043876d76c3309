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
    from ._tokens import TokenState

__version__ = "0.1.0"

__all__ = [
    "APIError",
    "AuthenticationError",
    "ClientClosedError",
    "ConfigurationError",
    "InvalidClientError",
    "InvalidRequestError",
    "InvalidResponseError",
    "NotFoundError",
    "PaymentRequiredError",
    "PermanentTokenError",
    "PokitDokError",
    "RateLimitError",
    "ScopeError",
    "ServerError",
    "TokenEndpointMovedError",
    "TokenError",
    "TokenForbiddenError",
    "TokenRefusedError",
    "TokenResponseError",
    "TokenState",
    "TokenThrottledError",
    "TokenUnavailableError",
    "TradingPartnerRejectionError",
    "connect",
]

if not TYPE_CHECKING:  # a type checker would take any misspelled name for one of these

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        errors = import_module("pokitdok_ext._errors")
        home = {"connect": "pokitdok_ext._client", "TokenState": "pokitdok_ext._tokens"}.get(name)
        if home is None:
            home = "pokitdok_ext._errors" if hasattr(errors, name) else "pokitdok_api.errors"
        value = globals()[name] = getattr(import_module(home), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
