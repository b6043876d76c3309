"""Provider registrations: what an application keeps about a provider on top of the directory, for itself alone."""

from __future__ import annotations

from typing import Any

from pokitdok_sandbox.calls import REQUIRED, Answer, Call, Handler, RefusalError, invalid

KIND = "provider registration"


def create_provider_registration(call: Call) -> Answer:
    """Register a provider, or replace what is registered under the NPI; both are documented for this call.

    Raises:
        RefusalError: The NPI is missing or no number; 422, because nothing else could name the registration later.
            Its check digit is not looked at: the documentation's own example has eleven digits.
    """
    npi = call.body.get("npi")
    if not npi:
        raise invalid({"npi": [REQUIRED]})
    if not (npi.isascii() and npi.isdigit()):
        raise invalid({"npi": ["Not a number."]})
    return _kept(call, npi)


def get_provider_registration(call: Call) -> Answer:
    """Answer what is registered."""
    return Answer(_registered(call))


def update_provider_registration(call: Call) -> Answer:
    """Replace what is registered; the NPI stays that of the path."""
    _registered(call)
    return _kept(call, call.path["npi"])


def delete_provider_registration(call: Call) -> Answer:
    """Forget what is registered; the answer is not documented, so it has no content of its own."""
    _registered(call)
    call.world.store.delete_document(KIND, call.path["npi"], owner=call.client_id)
    return Answer({})


def _kept(call: Call, npi: str) -> Answer:
    registration = {**call.body, "npi": npi}
    call.record["parameters"] = {"npi": npi}
    call.world.store.put_document(KIND, npi, registration, owner=call.client_id)
    return Answer(registration)


def _registered(call: Call) -> dict[str, Any]:
    npi = call.path["npi"]
    call.record["parameters"] = {"npi": npi}
    found = call.world.store.document(KIND, npi, owner=call.client_id)
    if found is None:
        raise RefusalError(404, {"query": "No provider is registered under this NPI."})
    return found


HANDLERS = {
    "create_provider_registration": Handler(create_provider_registration, activity="providers", billed=True),
    "get_provider_registration": Handler(get_provider_registration, activity="providers", billed=True),
    "update_provider_registration": Handler(update_provider_registration, activity="providers", billed=True),
    "delete_provider_registration": Handler(delete_provider_registration, activity="providers", billed=True),
}
