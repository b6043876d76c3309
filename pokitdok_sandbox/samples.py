"""Reads the invented sample data under data/. What the data means is decided by the areas that use it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


class PlainLoader(yaml.CSafeLoader):
    """YAML with the data model of JSON: dates stay text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the name and form that PyYAML looks for
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


@cache
def sample(name: str) -> Any:
    """Return the content of ``data/<name>.yaml``. It is shared: copy before changing it."""
    text = files("pokitdok_sandbox").joinpath("data", f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=PlainLoader)  # noqa: S506 - PlainLoader is the safe loader


def filled(template: Any, words: dict[str, str]) -> Any:
    """Return a copy of a sample in which ``{name}`` inside strings is replaced by ``words[name]``."""
    if isinstance(template, str):
        for name, word in words.items():
            template = template.replace("{" + name + "}", word)
        return template
    if isinstance(template, dict):
        return {key: filled(value, words) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, words) for value in template]
    return template
