"""Identity matching: documents that are put in, and the persons that they make up. Configurations: match_configs.

Everything belongs to the application that put it in. The rules of matching are in data/identity_match.yaml.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.exchanges import keep_caller_data, opened
from pokitdok_sandbox.match_configs import config_of, configs
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.wording import alike

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS_OF_A_DATE = ("year", "month", "day")


def create_identity_match_job(call: Call) -> Answer:
    """Start the job of 2016 and answer its activity. What such a job answered in the end is not known."""
    keep_caller_data(call)
    call.record["parameters"] = dict(call.body)
    return Answer(opened(call))


def submit_identity_match_source(call: Call) -> Answer:
    """Put a document into the input topic, and into the person that it belongs to, for each algorithm that reads it."""
    _require_whole_date(call.body)
    topic = config_of(call, call.path["algorithm_id"])["input_topic"]
    source_id = call.world.new_uuid()
    source = {"_source_id": source_id, "data": dict(call.body)}
    call.world.store.put_document(f"source {topic}", source_id, source, owner=call.client_id)
    for config in configs(call):
        if config["input_topic"] == topic:
            _add_to_person(call, config["algorithm_id"], source)
    return Answer({"_source_id": source_id})


def find_canonical_identity(call: Call) -> Answer:
    """Answer the person that a document would belong to, or an empty object; nothing is stored."""
    _require_whole_date(call.body)
    algorithm_id = config_of(call, call.path["algorithm_id"])["algorithm_id"]
    return Answer(_person_like(call, algorithm_id, call.body) or {})


def get_canonical_identity(call: Call) -> Answer:
    """Answer a person by id."""
    return Answer(_person(call))


def list_canonical_identity_sources(call: Call) -> Answer:
    """Answer the whole documents behind a person."""
    topic = config_of(call, call.path["algorithm_id"])["input_topic"]
    return Answer([_source(call, topic, source_id) for source_id in _person(call)["sources"]])


def get_identity_match_source(call: Call) -> Answer:
    """Answer a document by id."""
    topic = config_of(call, call.path["algorithm_id"])["input_topic"]
    return Answer(_source(call, topic, call.path["source_id"]))


def list_source_canonical_identities(call: Call) -> Answer:
    """Answer the persons that a document belongs to."""
    config = config_of(call, call.path["algorithm_id"])
    source_id = _source(call, config["input_topic"], call.path["source_id"])["_source_id"]
    persons = call.world.store.documents(_persons(config["algorithm_id"]), owner=call.client_id)
    return Answer([person for person in persons if source_id in person["sources"]])


def of_one_person(algorithm_id: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether an algorithm takes two documents for the same person."""
    names = ("first_name", "last_name")
    if not all(one.get(name) and other.get(name) and alike(one[name], other[name]) for name in names):
        return False
    rules = sample("identity_match")
    compared: list[str] = rules["algorithms"].get(algorithm_id, rules["other"])
    return any(_plain(one, path) == _plain(other, path) != "" for path in compared)


def _add_to_person(call: Call, algorithm_id: str, source: Mapping[str, Any]) -> None:
    person = _person_like(call, algorithm_id, source["data"])
    if person is None:
        person = {"record_id": call.world.new_uuid(), "sources": [], "data": {}}
    # the values of the first document stay; later ones fill what it left empty
    filled = {name: value for name, value in person["data"].items() if value not in ("", None)}
    person |= {
        "sources": [*person["sources"], source["_source_id"]],
        "last_updated": datetime.fromtimestamp(int(call.now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": {**source["data"], **filled},
    }
    call.world.store.put_document(_persons(algorithm_id), person["record_id"], person, owner=call.client_id)


def _person_like(call: Call, algorithm_id: str, data: Mapping[str, Any]) -> dict[str, Any] | None:
    persons = call.world.store.documents(_persons(algorithm_id), owner=call.client_id)
    return next((person for person in persons if of_one_person(algorithm_id, data, person["data"])), None)


def _person(call: Call) -> dict[str, Any]:
    algorithm_id = config_of(call, call.path["algorithm_id"])["algorithm_id"]
    person = call.world.store.document(_persons(algorithm_id), call.path["canonical_id"], owner=call.client_id)
    if person is None:
        raise RefusalError(404, {"query": "No merged person has this id."})
    return person


def _source(call: Call, topic: str, source_id: str) -> dict[str, Any]:
    source = call.world.store.document(f"source {topic}", source_id, owner=call.client_id)
    if source is None:
        raise RefusalError(404, {"query": "No document has this id."})
    return source


def _persons(algorithm_id: str) -> str:
    return f"person {algorithm_id}"


def _require_whole_date(document: Mapping[str, Any]) -> None:
    """Refuse a birth date that is not whole, in the documented form: a map that ends in a text."""
    date = document.get("birth_date")
    missing = {part: "Missing field." for part in PARTS_OF_A_DATE if isinstance(date, dict) and part not in date}
    if missing and date:
        raise invalid({"birth_date": missing})


def _plain(document: Mapping[str, Any], path: str) -> str:
    """Return what is at a place of a document without letter case and punctuation; empty when nothing is."""
    value: Any = document
    for step in path.split("/"):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, dict):
        value = " ".join(str(value.get(part, "")) for part in PARTS_OF_A_DATE)
    return re.sub(r"[\W_]", "", str(value).casefold()) if value is not None else ""


HANDLERS = {
    "create_identity_match_job": Handler(create_identity_match_job, activity="pokitdok_api", billed=True),
    "submit_identity_match_source": Handler(submit_identity_match_source, activity="identity", billed=True),
    "find_canonical_identity": Handler(find_canonical_identity, activity="identity", billed=True),
    "get_canonical_identity": Handler(get_canonical_identity, activity="identity", billed=True),
    "list_canonical_identity_sources": Handler(list_canonical_identity_sources, activity="identity", billed=True),
    "get_identity_match_source": Handler(get_identity_match_source, activity="identity", billed=True),
    "list_source_canonical_identities": Handler(list_source_canonical_identities, activity="identity", billed=True),
}
