"""Application registrations: NPIs an application registers with a partner for a transaction. Deleting is reversible.

An application sees its own registrations alone; each names its owner.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.calls import REQUIRED, Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.checks import is_npi
from pokitdok_sandbox.trading_partners import partner

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND = "app registration"
LISTS = ("tax_id", "claims_roles", "address_lines")
NAMES = ("first_name", "last_name", "organization_name")
COLUMNS = ("trading_partner_id", "transaction_set_name", "npi", *LISTS, "city", "state", "zipcode", *NAMES)
NEEDED = ("npi", "trading_partner_id")
"""Columns that every row of a CSV file fills."""

Registration = dict[str, Any]


def list_app_registrations(call: Call) -> Answer:
    """Answer all registrations that are not deleted, unpaged: nothing says that they came in pages."""
    stored = call.world.store.documents(KIND, owner=call.client_id)
    return Answer([_shown(one) for one in stored if not one["deleted"]])


def get_app_registration(call: Call) -> Answer:
    """Answer one registration."""
    return Answer(_shown(_registration(call)))


def create_app_registration(call: Call) -> Answer:
    """Register an NPI."""
    return Answer(_stored(call, call.body, call.world.new_uuid()))


def update_app_registration(call: Call) -> Answer:
    """Replace a registration; whether a part was enough is not documented, and the request asks for all of it."""
    return Answer(_stored(call, call.body, _registration(call)["_uuid"]))


def delete_app_registration(call: Call) -> Answer:
    """Delete a registration; the answer is not documented, so it has no content of its own."""
    _keep(call, _registration(call) | {"deleted": True})
    return Answer({})


def undelete_app_registration(call: Call) -> Answer:
    """Bring a deleted registration back; one that is not deleted stays as it is."""
    found = _registration(call, deleted=True) | {"deleted": False}
    _keep(call, found)
    return Answer(_shown(found))


def create_app_registrations_from_csv(call: Call) -> Answer:
    """Register a row each, all or none.

    The columns are not documented. Here the first row names fields of a registration; lists have a semicolon between
    their items.

    Raises:
        RefusalError: A row does not fit; 422, naming the row (the first below the names is 1) and the field.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(call.body)))
    except csv.Error:
        raise invalid({"body": ["Not CSV."]}) from None
    if not rows:
        raise invalid({"body": ["Give a row of field names and at least one row below it."]})
    wrong: dict[str, Any] = {}
    registrations = []
    for number, row in enumerate(rows, 1):
        body = {
            name: [item.strip() for item in row[name].split(";")] if name in LISTS else row[name]
            for name in COLUMNS
            if row.get(name)
        }
        problems = {name: [REQUIRED] for name in NEEDED if name not in body} or _problems(body)
        if problems:
            wrong[str(number)] = problems
        registrations.append(body)
    if wrong:
        raise invalid(wrong)
    return Answer([_stored(call, body, call.world.new_uuid()) for body in registrations])


def _problems(body: Mapping[str, Any]) -> dict[str, list[str]]:
    problems = {}
    if not is_npi(body["npi"]):
        problems["npi"] = ["Not a valid NPI."]
    if partner(body["trading_partner_id"]) is None:
        problems["trading_partner_id"] = ["No trading partner has this id."]
    if "organization_name" in body and ("first_name" in body or "last_name" in body):
        problems["organization_name"] = ["Give personal names or an organization, not both."]
    return problems


def _stored(call: Call, body: Mapping[str, Any], uuid: str) -> Registration:
    problems = _problems(body)
    if problems:
        raise invalid(problems)
    owner = {"app_name": call.world.settings.name_of(call.client_id), "client_id": call.client_id}
    registration = {**body, "_uuid": uuid, **owner, "deleted": False}
    _keep(call, registration)
    return _shown(registration)


def _keep(call: Call, registration: Registration) -> None:
    call.world.store.put_document(KIND, registration["_uuid"], registration, owner=call.client_id)


def _registration(call: Call, *, deleted: bool = False) -> Registration:
    """Return the registration in the path; a deleted one only when that will do.

    Raises:
        RefusalError: There is none; 404.
    """
    uuid = call.path["uuid"]
    call.record["parameters"] = {"uuid": uuid}
    found = call.world.store.document(KIND, uuid, owner=call.client_id)
    if found is None or (found["deleted"] and not deleted):
        raise RefusalError(404, {"query": "No registration has this uuid."})
    return found


def _shown(registration: Registration) -> Registration:
    return {name: value for name, value in registration.items() if name != "deleted"}


HANDLERS = {
    "list_app_registrations": Handler(list_app_registrations, activity="appregistrations", billed=True),
    "get_app_registration": Handler(get_app_registration, activity="appregistrations", billed=True),
    "create_app_registration": Handler(create_app_registration, activity="appregistrations", billed=True),
    "update_app_registration": Handler(update_app_registration, activity="appregistrations", billed=True),
    "delete_app_registration": Handler(delete_app_registration, activity="appregistrations", billed=True),
    "undelete_app_registration": Handler(undelete_app_registration, activity="appregistrations", billed=True),
    "create_app_registrations_from_csv": Handler(
        create_app_registrations_from_csv,
        activity="appregistrations",
        billed=True,
        takes=frozenset({"text/csv"}),
    ),
}
