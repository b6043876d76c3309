"""Exit codes, and which error ends in which. Texts are fit for a log: they name what failed, never a patient."""

import httpx

from pokitdok_api.errors import (
    APIError,
    AuthenticationError,
    InvalidResponseError,
    PaymentRequiredError,
    PokitDokError,
    RateLimitError,
    ScopeError,
    ServerError,
)
from pokitdok_ext._errors import (
    ConfigurationError,
    TokenError,
    TokenResponseError,
    TokenThrottledError,
    TokenUnavailableError,
)

DONE = 0
NO = 1
"""The API refuses the request, or its answer is no: member not found, activity failed, rows refused."""
USAGE = 2
"""The command line, a file or the configuration is wrong."""
CREDENTIALS = 3
"""Credentials, scope or credits do not suffice."""
LATER = 4
"""No answer is to be had now: network, time limit, rate limit, failure of the platform."""
BUG = 70
INTERRUPTED = 130

TABLE = f"""\
  {DONE}    done
  {NO}    the API refuses the request, or its answer is no (member not found, activity failed)
  {USAGE}    wrong usage: arguments, a file, the configuration
  {CREDENTIALS}    credentials, scope or credits do not suffice
  {LATER}    no answer now (network, time, rate limit, platform): try again
  {INTERRUPTED}  interrupted (Ctrl-C)"""

_LATER = (
    TokenUnavailableError,
    TokenThrottledError,
    TokenResponseError,
    RateLimitError,
    ServerError,
    InvalidResponseError,
    httpx.TransportError,
)
_CREDENTIALS = (TokenError, AuthenticationError, ScopeError, PaymentRequiredError)


def code_for(error: Exception) -> int:
    """The exit code that *error* ends in."""
    if isinstance(error, ConfigurationError):
        return USAGE
    if isinstance(error, _LATER):
        return LATER
    if isinstance(error, _CREDENTIALS):
        return CREDENTIALS
    return NO if isinstance(error, PokitDokError) else BUG


def text_for(error: Exception) -> str:
    """What to say of it. A foreign error is named by its kind only: its text may quote anything."""
    if isinstance(error, APIError):
        text = str(error).replace(".messages says what is wrong, .body holds", "--json shows")
        return text.replace(".body holds", "--json shows")
    if isinstance(error, PokitDokError):
        return str(error)
    if isinstance(error, httpx.TimeoutException):
        return f"no answer in time ({type(error).__name__}); --timeout gives it more"
    if isinstance(error, httpx.TransportError):
        return f"no connection ({type(error).__name__}); check that the server runs and that the base URL is right"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"unexpected {type(error).__name__}{place}; this is a fault of the command: please report it"
