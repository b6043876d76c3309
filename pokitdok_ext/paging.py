"""Walks a listing to its end: its pages, or the items on them. Sync, and with an `a` before the name async.

    for activity in items(list_activities.sync, client=client, limit=100): ...
    async for activity in aitems(list_activities.asyncio, client=client): ...

Takes the function of any operation that the contract marks as a listing (`x-paging`), with the arguments it has. The
walk goes by `meta.next` and stays on the client's host; where that is missing, by offset and `meta.result_count`. It
ends at the number of items there were when it began, since a walk through the activities makes new ones itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from pokitdok_api._operations import OPERATIONS, Operation
from pokitdok_api.errors import PokitDokError
from pokitdok_api.types import Unset

from .generic import on_this_host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from pokitdok_api import Client
    from pokitdok_api.models import Meta

P = ParamSpec("P")
E = TypeVar("E")
T_co = TypeVar("T_co", covariant=True)


class PagingError(PokitDokError):
    """The next page cannot be told from the last one; the text says why. What was walked so far is good."""


class Page(Protocol[T_co]):
    """The envelope of a page."""

    @property
    def meta(self) -> Meta | Unset | None: ...
    @property
    def data(self) -> Sequence[T_co] | Unset | None: ...


def pages(function: Callable[P, E], *args: P.args, **kwargs: P.kwargs) -> Iterator[E]:
    """The pages of a listing, each the envelope that *function* returns; a page is asked for when it is needed.

    Raises:
        TypeError: *function* is not of a listing.
        PagingError: There is a next page, but not where.
        OriginError: The next page is on another host.
    """
    walk: _Walk | None = _Walk(function, kwargs)
    while walk is not None:
        page = function(*args, **walk.kwargs)
        yield page
        walk = walk.after(page)


async def apages(function: Callable[P, Awaitable[E]], *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[E]:
    """As `pages`, with the function `asyncio` of a listing."""
    walk: _Walk | None = _Walk(function, kwargs)
    while walk is not None:
        page = await function(*args, **walk.kwargs)
        yield page
        walk = walk.after(page)


def items(function: Callable[P, Page[T_co]], *args: P.args, **kwargs: P.kwargs) -> Iterator[T_co]:
    """The items of a listing, page after page; raises as `pages`."""
    for page in pages(function, *args, **kwargs):
        yield from page.data or ()


async def aitems(
    function: Callable[P, Awaitable[Page[T_co]]], *args: P.args, **kwargs: P.kwargs
) -> AsyncIterator[T_co]:
    """As `items`, with the function `asyncio` of a listing."""
    async for page in apages(function, *args, **kwargs):
        for item in page.data or ():
            yield item


class _Walk:
    """Where a walk stands: the arguments of the next page."""

    def __init__(self, function: Callable[..., Any], kwargs: dict[str, Any]) -> None:
        self._operation = _listing(function)
        self._client: Client = kwargs["client"]
        self.kwargs = kwargs
        self._total: int | None = None

    def after(self, page: Any) -> _Walk | None:
        """The walk after *page*, None at its end."""
        offset = self.kwargs.get("offset") or 0
        meta, number = page.meta or None, len(page.data or ())
        if self._total is None:
            self._total = getattr(meta, "result_count", None) or None
        following = getattr(meta, "next_", None) or None
        if following is not None:
            reached = self._offset_in(following)
            if reached <= offset:
                raise PagingError(f"{self._operation.id}: the page after offset {offset} is said to be at {reached}")
        elif self._total is not None and number > 0:
            reached = offset + number
        else:
            return None
        if self._total is not None and reached >= self._total:
            return None
        self.kwargs = {**self.kwargs, "offset": reached}
        return self

    def _offset_in(self, following: str) -> int:
        url = on_this_host(self._client, following)
        paging = self._operation.paging or {}
        if url.path != self._operation.path:
            raise PagingError(f"{self._operation.id}: the next page is not under {self._operation.path}")
        try:
            return int(url.params[paging["offset"]])
        except (KeyError, ValueError):
            raise PagingError(f"{self._operation.id}: the next page has no offset") from None


def _listing(function: Callable[..., Any]) -> Operation:
    name = function.__module__.rpartition(".")[2]
    operation = OPERATIONS.get(name)
    if operation is None or operation.paging is None or function.__name__ not in {"sync", "asyncio"}:
        listings = ", ".join(sorted(name for name, each in OPERATIONS.items() if each.paging is not None))
        raise TypeError(f"sync or asyncio of a listing expected, such as list_activities.sync; listings: {listings}")
    return operation
