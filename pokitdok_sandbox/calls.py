"""What a handler is given and what it gives back. How a request becomes a Call, and an Answer bytes, is in app."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pokitdok_sandbox.world import World

REQUIRED = "This field is required."


@dataclass(frozen=True)
class Call:
    """One request as a handler sees it: authenticated and validated against the contract.

    Attributes:
        world: The sandbox that was called.
        now: Unix time at which the call began.
        client_id: The application; empty outside the envelope.
        scopes: OAuth scopes of its token.
        path: Path parameters.
        query: Query parameters, in the types of the contract.
        body: The JSON body, a form as a map (a file in it as text), or text.
        url: The URL of the request, built from its Host header.
        skew: Seconds by which the server's clock is to seem wrong.
        authorization: The Authorization header, for an operation outside the envelope alone.
        record: The activity of this very call; a handler may add to it.
        form: Media type of the answer that was asked for.
        warnings: Texts that go out in X-Sandbox-Warning; names and pointers, never values.
    """

    world: World
    now: float
    client_id: str
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    url: str
    scopes: frozenset[str] = frozenset()
    skew: float = 0.0
    authorization: str = field(default="", repr=False)
    record: dict[str, Any] = field(default_factory=dict, repr=False)
    form: str = "application/json"
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """What goes out: the data half of the envelope and additions to its meta half, or a whole bare body.

    Status 204 goes out without any content.
    ``example_in`` is set when the data is an example of the contract, whole: the media type it is written in, empty
    when the answer has no content. ``form`` is the media type in which the answer of a rule is written.
    """

    data: Any
    meta: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    example_in: str | None = None
    form: str = "application/json"


class RefusalError(Exception):
    """The call is refused with an enveloped error; ``credits_billed`` overrides what the operation costs."""

    def __init__(self, status: int, errors: Mapping[str, Any], *, credits_billed: int | None = None) -> None:
        super().__init__(f"refused with {status}: {', '.join(errors)}")
        self.status = status
        self.errors = errors
        self.credits_billed = credits_billed


def invalid(messages: Mapping[str, Any]) -> RefusalError:
    """Return the refusal of fields that do not fit: 422 with ``errors.validation``."""
    return RefusalError(422, {"validation": messages})


@dataclass(frozen=True)
class X12Forms:
    """How an operation is spoken to in X12 instead of JSON.

    Attributes:
        read: Turns an interchange into the JSON body that the rule reads; None when it takes no X12.
        write: Turns the data of an answer into an interchange; None when it gives none.
    """

    read: Callable[[str], dict[str, Any]] | None = None
    write: Callable[[Call, Any], str] | None = None


@dataclass(frozen=True)
class Handler:
    """How one operation is answered.

    Attributes:
        answer: The rule of the area.
        activity: Name of the activity that each call makes; None for an operation outside the envelope, which checks
            credentials itself.
        billed: Whether a call costs a credit.
        takes: Media types of bodies that the rule reads; a body in another one is answered with the example.
        bad_input: Status that refuses input that does not fit; 422 but for the proof of identity.
        gives: Media types in which the answer of the rule can be written; another one gets the example.
        x12: How those of them that are X12 are read and written.
        any_date: Whether any text is a date, in its request and in its answer.
    """

    answer: Callable[[Call], Answer]
    activity: str | None
    billed: bool = False
    takes: frozenset[str] = frozenset({"", "application/json"})
    bad_input: int = 422
    gives: frozenset[str] = frozenset({"", "application/json"})
    x12: X12Forms | None = None
    any_date: bool = False
