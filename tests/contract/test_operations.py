"""Every operation of the contract, in every form and with every documented status, through its typed functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pokitdok_api import Client
from pokitdok_api.errors import (
    APIError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitError,
    ScopeError,
    ServerError,
)
from pokitdok_api.types import Response
from pokitdok_ext.testing.contract import Operation

from .conftest import CLIENT_ID, CLIENT_SECRET
from .samples import CONTRACT, FORMS, Made, made_before, refusal

# Retired operations warn, and here they are called on purpose.
pytestmark = [pytest.mark.vcr, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

OPERATIONS = sorted(CONTRACT.operations, key=lambda operation: operation.id)
RAISED: dict[int, tuple[type[APIError], ...]] = {
    400: (InvalidRequestError,),
    401: (AuthenticationError,),
    402: (PaymentRequiredError,),
    403: (RateLimitError, ScopeError),
    404: (NotFoundError,),
    406: (APIError,),
    422: (InvalidRequestError,),
    500: (ServerError,),
}


class Callers:
    """Those who ask: a user with all scopes, one without any, and a stranger whose token nobody issued.

    Attributes:
        fault: The fault that each next request orders, in a header, so that a cassette shows it; empty for none.
        answers: The bodies that came back.
    """

    def __init__(self, make_client: Callable[..., Client]) -> None:
        self.fault = ""
        self.answers: list[bytes] = []
        options = {"httpx_args": {"event_hooks": {"request": [self._order], "response": [self._note]}}}
        # Only one of the three asks in most cases, and nothing is sent before.
        self.user = make_client(CLIENT_ID, CLIENT_SECRET, scope="user_schedule business_schedule", **options)
        self.without_scope = make_client(CLIENT_ID, CLIENT_SECRET, **options)
        self.stranger = make_client(token="nobody-issued-this", **options)

    def _order(self, request: httpx.Request) -> None:
        if self.fault:
            request.headers["x-sandbox-fault"] = self.fault

    def _note(self, response: httpx.Response) -> None:
        self.answers.append(response.read())

    def refused(self, operation: Operation, status: int, made: Made) -> APIError:
        """Ask for what is answered with *status*, and return what that raises."""
        how = refusal(operation, status)
        self.fault = how.fault
        with pytest.raises(APIError) as caught:
            FORMS[operation.id][0](getattr(self, how.caller), made, **how.instead)
        return caught.value


@pytest.fixture
def callers(make_client: Callable[..., Client]) -> Callers:
    return Callers(make_client)


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    operation: Operation = request.node.callspec.params["operation"]
    return operation.id


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_operation_answers_as_documented(operation: Operation, callers: Callers, subtests: pytest.Subtests) -> None:
    """Its successes in each form, then each documented error, which is the same for all forms."""
    success, *errors = sorted(int(status) for status in operation.definition["responses"] if status != "default")
    made = made_before(operation.id, callers.user)
    for function in FORMS[operation.id]:
        with subtests.test(function.name):
            answer = function(callers.user, made)
            assert answer.status_code == success
            assert written_back(answer.parsed) == content(answer)
    for status in errors:
        with subtests.test(f"{operation.id} {status}"):
            error = callers.refused(operation, status, made)
            assert error.status_code == status
            assert isinstance(error, RAISED[status])
            if status != 401:  # a refused token is told by connect(), which does not read the answer
                assert written_back(error.body) == json.loads(callers.answers[-1])


def written_back(parsed: Any) -> Any:
    return parsed.to_dict() if hasattr(parsed, "to_dict") else parsed


def content(answer: Response[Any]) -> Any:
    if isinstance(answer.parsed, str):
        return answer.content.decode()
    return json.loads(answer.content or b"null")
