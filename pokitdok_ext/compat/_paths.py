"""How an id gets into a path."""

from urllib.parse import quote


def required(value: object) -> str:
    """*value* as text for the place in a path where one must stand.

    Raises:
        ValueError: It is missing, empty or a dot segment: the call would reach the whole collection, or something else.
    """
    text = "" if value is None else str(value)
    if text in {"", ".", ".."}:
        raise ValueError("an id is missing, empty or a dot segment: the call would address another resource")
    return text


def _segment(value: object) -> str:
    return quote(required(value), safe="")


def at(template: str, value: object) -> str:
    """*template* with *value* in it; without one, the collection."""
    return template.format(_segment(value) if value else "")


def under(path: str, value: object) -> str:
    """*value* as one more step of *path*; without one, *path*."""
    return f"{path}/{_segment(value)}" if value else path
