"""The provider directory: search and read. The invented entries are in data/providers.yaml, in their order of rank."""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError
from pokitdok_sandbox.paging import page
from pokitdok_sandbox.places import Area, area_of
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.wording import has_alike_words, has_words, same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EXACT = ("first_name", "middle_name", "last_name", "npi")
NAMES = ("first_name", "middle_name", "last_name", "organization_name", "other_organization_name")


def list_providers(call: Call) -> Answer:
    """Answer the providers that fit all parameters, by rank, or with ``sort=distance`` the nearest first.

    A recording of a test application ignores the parameters and one of a production application obeys them; here they
    are always obeyed. Distances are miles, which is our reading: the documentation names no unit beside 10mi.
    """
    query, area = call.query, area_of(call.query)
    found: list[tuple[float, dict[str, Any]]] = []
    for provider in directory():
        distances = [far for location in provider["locations"] if (far := _distance(location, query, area)) is not None]
        if distances and _fits(provider, query):
            found.append((min(distances), provider))
    if query.get("sort") == "distance" and area.centre is not None:
        found.sort(key=itemgetter(0))
        items = [{"provider": shown(provider), "distance": round(far, 4)} for far, provider in found]
    else:
        items = [{"provider": shown(provider)} for _, provider in found]
    return page(call, items, counted=True)


def get_provider(call: Call) -> Answer:
    """Answer one provider, wrapped as in the list."""
    npi = call.path["npi"]
    call.record["parameters"] = {"npi": npi}
    found = provider_by("npi", npi)
    if found is None:
        raise RefusalError(404, {"query": "No provider has this NPI."})
    return Answer({"provider": shown(found)})


def directory() -> list[dict[str, Any]]:
    """Return all entries, in their order of rank."""
    entries: list[dict[str, Any]] = sample("providers")["providers"]
    return entries


def provider_by(member: str, value: str) -> dict[str, Any] | None:
    """Return the first entry with this value, or None."""
    return next((entry for entry in directory() if entry.get(member) == value), None)


def shown(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry as the API shows it: with all specialties in one list beside the two."""
    return {**entry, "specialty": [*entry["specialty_primary"], *entry.get("specialty_secondary", [])]}


def _fits(provider: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    """Tell whether a provider, wherever it is, fits a search."""
    return all(check(provider, query[name]) for name, check in CHECKS.items() if name in query)


def _has_exactly(name: str, provider: Mapping[str, Any], text: str) -> bool:
    return same(text, provider.get(name, ""))


def _has_name_like(provider: Mapping[str, Any], text: str) -> bool:
    return has_alike_words(text, " ".join(provider[name] for name in NAMES if name in provider))


def _is_organization_named(provider: Mapping[str, Any], text: str) -> bool:
    return any(has_words(text, provider[name]) for name in NAMES[-2:] if name in provider)


def _has_gender(provider: Mapping[str, Any], text: str) -> bool:
    gender = provider.get("gender", "")
    return bool(gender) and (same(text, gender) or same(text, gender[0]))


def _is_of_type(provider: Mapping[str, Any], text: str) -> bool:
    return any(same(one, provider["entity_type"]) for one in text.split(","))


def _has_specialty(provider: Mapping[str, Any], text: str) -> bool:
    return any(one.casefold().startswith(text.strip().casefold()) for one in shown(provider)["specialty"])


def _distance(location: Mapping[str, Any], query: Mapping[str, Any], area: Area) -> float | None:
    if "address_lines" in query and not has_words(query["address_lines"], " ".join(location["address_lines"])):
        return None
    return area.distance(location)


CHECKS: Mapping[str, Callable[[Mapping[str, Any], str], bool]] = {
    **{name: partial(_has_exactly, name) for name in EXACT},
    "name": _has_name_like,
    "organization_name": _is_organization_named,
    "gender": _has_gender,
    "entity_types": _is_of_type,
    "specialty": _has_specialty,
}

HANDLERS = {
    "list_providers": Handler(list_providers, activity="providers", billed=True),
    "get_provider": Handler(get_provider, activity="providers", billed=True),
}
