"""Exit codes, and which error ends in which. Texts are fit for a log: they name what failed, never a patient."""

import re

import httpx

from pokitdok_api._operations import Operation
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
from pokitdok_ext._retries import finding_of_exception, may_have_acted

DONE = 0
NO = 1
"""The API refuses the request, or its answer is no: member not found, activity failed, rows refused."""
USAGE = 2
"""The command line, a file or the configuration is wrong."""
CREDENTIALS = 3
"""Credentials, scope or credits do not suffice."""
LATER = 4
"""No answer is to be had now: network, time limit, rate limit, failure of the platform. Nothing was done."""
MAY_HAVE_ACTED = 5
"""A request that acts (a claim, a booking) was sent, and what became of it is not known."""
BUG = 70
INTERRUPTED = 130

TABLE = f"""\
  {DONE}    done
  {NO}    the API refuses the request, or its answer is no (member not found, activity failed)
  {USAGE}    wrong usage: arguments, a file, the configuration
  {CREDENTIALS}    credentials, scope or credits do not suffice
  {LATER}    no answer now (network, time, rate limit, platform), and nothing was done: try again
  {MAY_HAVE_ACTED}    no answer to a request that may have been acted on: look before you repeat it
  {INTERRUPTED}  interrupted (Ctrl-C)"""

_LATER = (
    TokenUnavailableError,
    TokenThrottledError,
    TokenResponseError,
    RateLimitError,
    ServerError,
    InvalidResponseError,
    httpx.HTTPError,
)
_CREDENTIALS = (TokenError, AuthenticationError, ScopeError, PaymentRequiredError)
_ATTRIBUTES = re.compile(r" (\.messages says what is wrong, )?\.(body|content|acknowledgment) holds (?P<what>[^.]+)\.")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


def code_for(error: Exception) -> int:
    """The exit code that *error* ends in, if the request cannot have been acted on."""
    if isinstance(error, ConfigurationError):
        return USAGE
    if isinstance(error, _LATER):
        return LATER
    if isinstance(error, APIError) and error.status_code in {408, 429}:
        return LATER
    if isinstance(error, _CREDENTIALS):
        return CREDENTIALS
    return NO if isinstance(error, PokitDokError) else BUG


def text_for(error: Exception, *, shown: bool = False) -> str:
    """What to say of it. A foreign error is named by its kind only: its text may quote anything.

    Args:
        error: What ended the command.
        shown: Whether the answer has been printed.
    """
    if isinstance(error, APIError | InvalidResponseError):
        return _ATTRIBUTES.sub("" if shown else r" --json shows \g<what>.", str(error))
    if isinstance(error, PokitDokError):
        return str(error)
    return _text_for_foreign(error)


def _text_for_foreign(error: Exception) -> str:
    kind = type(error).__name__
    if isinstance(error, OSError):
        return f"the output cannot be written, or a file cannot be read ({error.strerror or kind})"
    if isinstance(error, httpx.TimeoutException):
        return f"no answer in time ({kind}); --timeout gives it more"
    if isinstance(error, httpx.HTTPError):
        if finding_of_exception(error) == "unknown":
            return f"the request was sent, and no whole answer came back ({kind})"
        return f"no connection ({kind}); check that the server runs and that the base URL is right"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"unexpected {kind}{place}; this is a fault of the command: please report it"


def acted(operation: Operation, error: Exception) -> bool:
    """Whether the API may have acted on a request of *operation* that ended in *error*."""
    return may_have_acted(operation, finding_of_exception(error))


def warning_for(operation: Operation, error: BaseException | None = None) -> str:
    """What to say of a request that may have been acted on, with the command that shows whether it was."""
    activity_id = getattr(error, "activity_id", None)
    if isinstance(activity_id, str) and _ID.fullmatch(activity_id):
        look = f"pokitdok activity watch {activity_id}"
    else:
        look = "pokitdok request GET /activities/ -q dir=descending"
    return f"{operation.method} {operation.path} may have been acted on: look before you repeat it, with {look}"
