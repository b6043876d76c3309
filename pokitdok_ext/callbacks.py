"""Reads a callback: what the platform posts to `callback_url` when an activity has come on. Of no web framework.

    try:
        callback = read_callback(request.headers, body, username="pokitdok", password=PASSWORD)
    except CallbackError as error:
        return Response(status=error.status_code)

The platform does not sign callbacks; Basic authentication, set up in its dashboard, is all that tells them from forged
ones. Whoever knows an id can also ask for the activity itself (`get_activity`) and believe only that.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from pokitdok_api._values import Misfit
from pokitdok_api.errors import PokitDokError
from pokitdok_api.models import Activity

from .activities import reasons_of, state_of

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_BODY = 32 * 1024 * 1024
"""Bytes. A longer body is not read."""


class CallbackError(PokitDokError):
    """What was posted is no callback to act on.

    Attributes:
        status_code: The HTTP status to answer with.
    """

    status_code: ClassVar[int] = 400


class CallbackRefusedError(CallbackError):
    """Name and password are missing or wrong. Answer with `WWW-Authenticate: Basic`."""

    status_code = 401


@frozen(repr=False)
class Callback:
    """A callback, read. Its `repr` shows no patient data."""

    activity: Activity
    """As `get_activity` shows it; its `result` is the newest answer, typed."""

    @property
    def activity_id(self) -> str:
        """The id of the activity: what to look up by, and to tell a callback that came twice."""
        return str(self.activity.id)

    @property
    def state(self) -> str | None:
        """The name of its state, such as `completed` or `rejected`."""
        return state_of(self.activity)

    @property
    def result(self) -> Any:
        """The newest answer, a model of the kind that the activity is of; None if there is none yet."""
        return self.activity.result or None

    @property
    def application_data(self) -> dict[str, Any]:
        """What the request gave to be handed back here. It can hold patient data."""
        return self.activity.application_data.to_dict() if self.activity.application_data else {}

    @property
    def reasons(self) -> list[str]:
        """What the result says of why it was refused, as far as it does."""
        return reasons_of(self.activity)

    def __repr__(self) -> str:
        return f"Callback(activity_id={self.activity_id!r}, state={self.state!r})"


def read_callback(
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    body: bytes,
    *,
    username: str | None = None,
    password: str | None = None,
) -> Callback:
    """The callback in a request that was posted.

    Args:
        headers: Of the request, in any case of letters.
        body: Of the request, whole.
        username: Of Basic authentication, as set up in the dashboard; checked if given.
        password: That goes with it.

    Raises:
        CallbackRefusedError: Name and password are missing or wrong.
        CallbackError: The body is no activity.
        TypeError: Only one of *username* and *password* was given.
    """
    if (username is None) != (password is None):
        raise TypeError("username and password go together")
    if username is not None and password is not None:
        pairs: Any = headers.items() if isinstance(headers, Mapping) else headers
        given: list[str] = [value for name, value in pairs if name.lower() == "authorization"]
        if not _is(given[0] if len(given) == 1 else "", username, password):
            raise CallbackRefusedError("the callback does not bring the name and password that were set up")
    return Callback(_activity(body))


def _is(authorization: str, username: str, password: str) -> bool:
    """Whether the header holds these; the time it takes does not tell how much of it is right."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        given = b""
    right = hmac.compare_digest(given, f"{username}:{password}".encode())
    return right and scheme.lower() == "basic"


def _activity(body: bytes) -> Activity:
    """The activity, in an envelope or bare: which it is is not documented."""
    if len(body) > LARGEST_BODY:
        raise CallbackError(f"the callback is longer than {LARGEST_BODY} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None  # the decoder's error holds the body
    if isinstance(document, dict) and isinstance(document.get("data"), dict):
        document = document["data"]
    if not isinstance(document, dict) or not isinstance(document.get("id"), str):
        raise CallbackError("the callback is no activity: a JSON object with an id was expected")
    try:
        return Activity.from_dict(document)
    except Misfit as misfit:
        place = str(misfit)
    raise CallbackError(f"the callback is no activity: {place}")
