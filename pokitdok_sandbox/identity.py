"""Identities: persons an application stores, finds and changes, with their history. Samples: data/identities.yaml.

Each application sees its own persons alone; nothing says so, but a record names its owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError
from pokitdok_sandbox.paging import page
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.wording import alike
from pokitdok_sandbox.world import wire_time

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND = "identity"
FUZZY = ("first_name", "middle_name", "last_name", "address", "city")
EXACT = ("state", "zipcode", "gender", "birth_date", "email", "member_id", "phone", "secondary_phone", "prefix", "uuid")
IN_ADDRESS = ("address", "city", "state", "zipcode")

Person = dict[str, Any]


def create_identity(call: Call) -> Answer:
    """Store a person under an id of its own."""
    uuid = call.world.new_uuid()
    now = wire_time(call.now)
    person = _written(call.body, uuid, inserted=now, updated=now, before={})
    _store(call, uuid, [person])
    return Answer(_answered(call, person))


def list_identities(call: Call) -> Answer:
    """Answer the persons that fit all parameters; id overrides the others, names and places forgive two slips."""
    persons = [versions[-1] for versions in _everybody(call)]
    query = call.query
    if "id" in query:
        found = [
            one for one in persons if any(number.get("value") == query["id"] for number in one.get("identifiers", []))
        ]
    else:
        found = [one for one in persons if _fits(one, query)]
    return page(call, [_read(call, one) for one in found])


def get_identity(call: Call) -> Answer:
    """Answer a list with the one person, empty when there is none; recorded both as a list and, before, without."""
    versions = _versions(call)
    return Answer([_read(call, versions[-1])] if versions else [])


def update_identity(call: Call) -> Answer:
    """Replace a person, as recorded: what the request leaves out is gone. The state before goes to the history."""
    versions = _versions(call)
    if not versions:
        raise RefusalError(404, {"query": "No identity has this id."})
    before = versions[-1]
    person = _written(
        call.body, before["uuid"], inserted=before["insert_datetime"], updated=wire_time(call.now), before=before
    )
    _store(call, before["uuid"], [*versions, person])
    return Answer(_answered(call, person))


def list_identity_history(call: Call) -> Answer:
    """Answer when each earlier version was stored, and its number. The names of both are inferred."""
    return Answer(
        [
            {"version": number, "insert_datetime": version["update_datetime"]}
            for number, version in enumerate(_versions(call)[:-1])
        ]
    )


def get_identity_history_version(call: Call) -> Answer:
    """Answer a list with one earlier version, empty when there is none. Numbers begin at 0."""
    text = call.path["version"]
    earlier = _versions(call)[:-1]
    number = int(text) if text.isdecimal() and len(text) < 10 else len(earlier)
    return Answer([_read(call, version) for version in earlier[number : number + 1]])


def _versions(call: Call) -> list[Person]:
    """Return all versions of the person in the path, the present one last; empty when there is none."""
    uuid = call.path["identity_uuid"]
    call.record["parameters"] = {"identity_uuid": uuid}
    stored = call.world.store.document(KIND, uuid, owner=call.client_id)
    if stored is not None:
        versions: list[Person] = stored["versions"]
        return versions
    return [person for person in _samples(call) if person["uuid"] == uuid]


def _everybody(call: Call) -> list[list[Person]]:
    """Return the versions of every person of the application, samples first."""
    stored = {doc["uuid"]: doc["versions"] for doc in call.world.store.documents(KIND, owner=call.client_id)}
    untouched = [[person] for person in _samples(call) if person["uuid"] not in stored]
    return [*untouched, *stored.values()]


def _samples(call: Call) -> list[Person]:
    persons: list[Person] = [] if call.world.settings.empty else sample("identities")["identities"]
    return persons


def _store(call: Call, uuid: str, versions: list[Person]) -> None:
    call.record["parameters"] = {"identity_uuid": uuid}
    call.world.store.put_document(KIND, uuid, {"uuid": uuid, "versions": versions}, owner=call.client_id)


def _written(sent: Mapping[str, Any], uuid: str, *, inserted: str, updated: str, before: Mapping[str, Any]) -> Person:
    """Return the person as stored: what was sent, its id and times, and the times of its identifiers."""
    person: Person = {**sent, "uuid": uuid, "insert_datetime": inserted, "update_datetime": updated}
    if "identifiers" in sent:
        known = {_key(number): number["insert_datetime"] for number in before.get("identifiers", [])}
        person["identifiers"] = [
            {**number, "insert_datetime": known.get(_key(number), updated), "update_datetime": updated}
            for number in sent["identifiers"]
        ]
    return person


def _key(number: Mapping[str, Any]) -> tuple[str, str, str]:
    return number["system_uuid"], number["provider_uuid"], number["value"]


def _answered(call: Call, person: Person) -> Person:
    """Return a person as a write answers it: the owner is called client_id."""
    return {**person, "app_name": call.world.settings.name_of(call.client_id), "client_id": call.client_id}


def _read(call: Call, person: Person) -> Person:
    """Return a person as a read answers it: the owner is called app_id, as recorded last."""
    return {**person, "app_name": call.world.settings.name_of(call.client_id), "app_id": call.client_id}


def _fits(person: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    for name in (*FUZZY, *EXACT):
        if name in query:
            held = _member(person, name)
            if not (alike(query[name], held) if name in FUZZY else query[name] == held):
                return False
    return True


def _member(person: Mapping[str, Any], name: str) -> str:
    """Return what a person has under the name of a parameter; empty when it has nothing."""
    holder = person.get("address") or {} if name in IN_ADDRESS else person
    value = holder.get("address_lines") if name == "address" else holder.get(name)
    return " ".join(value) if isinstance(value, list) else str(value or "")


HANDLERS = {
    "create_identity": Handler(create_identity, activity="identity", billed=True),
    "list_identities": Handler(list_identities, activity="identity", billed=True),
    "get_identity": Handler(get_identity, activity="identity", billed=True),
    "update_identity": Handler(update_identity, activity="identity", billed=True),
    "list_identity_history": Handler(list_identity_history, activity="identity", billed=True),
    "get_identity_history_version": Handler(get_identity_history_version, activity="identity", billed=True),
}
