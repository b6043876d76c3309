"""Operations without rules of their own: answered with the invented examples of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer
from pokitdok_sandbox.contract import FORM, JSON

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pokitdok_sandbox.contract import Operation

GENERAL_NAME = "pokitdok_api"


def lacks_example(operation: Operation, ruled: Collection[str]) -> bool:
    """Tell whether some request would have to be answered with an example that the contract does not hold.

    Rules answer JSON alone, so an operation that has them needs an example as soon as it takes another form.
    """
    needed = operation.id not in ruled or bool(operation.bodies.keys() - {JSON, FORM})
    return needed and bool(operation.forms) and JSON not in operation.examples


def answer(operation: Operation, media_type: str) -> Answer:
    """Return the example of the success status in the form asked for; without content when the contract has none."""
    return Answer(operation.examples.get(media_type), status=operation.success, example_in=media_type)


def with_meta(example: Any, meta: Mapping[str, Any]) -> Any:
    """Return the example with the meta of this very call in place of its own; a form without meta stays as it is.

    ``result_count``, recorded on lists alone, is kept when the data is a list.
    """
    if not isinstance(example, dict) or "meta" not in example:
        return example
    data = example.get("data")
    counted = {"result_count": len(data)} if isinstance(data, list) and "result_count" in example["meta"] else {}
    return example | {"meta": {**meta, **counted}}


def activity_name(operation: Operation, seen: Collection[str]) -> str:
    """Return the name of the activity that a call makes: the area in its path, as most recorded names are.

    An area that no activity was ever seen named after gets the general name among those seen.
    """
    area = operation.path.removeprefix("/api/v4/").strip("/").partition("/")[0]
    return area if not seen or area in seen else GENERAL_NAME
