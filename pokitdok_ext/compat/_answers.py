"""What becomes of an answer: the dictionary that came, errors included; an exception where there is none."""

import json
from typing import Any

import httpx

from pokitdok_api._operations import Operation
from pokitdok_api.errors import InvalidResponseError, activity_id, error_for

from ._transactions import Answer


def read_answer(operation: Operation, response: httpx.Response) -> Answer:
    """The decoded answer, {} if it has no content.

    Raises:
        APIError: It is a 401, or an error that is not JSON.
        InvalidResponseError: It is a success that is not JSON.
    """
    if not response.content.strip() and response.is_success:
        return {}
    document: Any = None
    try:
        document = json.loads(response.content)
        fault = None
    except (ValueError, RecursionError):  # its text quotes the body: nothing may be raised from here
        fault = "the body is not JSON"
    status = response.status_code
    if fault is not None or status == 401:
        error = error_for(operation, status, response.headers, document, content=response.content)
        raise error or InvalidResponseError(
            operation=operation,
            status_code=status,
            place=str(fault),
            headers=response.headers,
            content=response.content,
            activity_id=activity_id(document),
        )
    answer: Answer = document
    return answer
