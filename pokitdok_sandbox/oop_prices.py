"""Contract prices that an application loads for out-of-pocket estimates. Each application sees its own alone."""

from __future__ import annotations

from typing import Any

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.exchanges import partner_for
from pokitdok_sandbox.paging import page

KIND = "contract price"

Price = dict[str, Any]


def load_oop_price(call: Call) -> Answer:
    """Store the price of a bundle, or without a price answer the stored one; the order of the codes does not matter.

    Raises:
        RefusalError: Nothing is stored; 422 with ``errors.query``, which is our reading: documented without a form.
    """
    body: dict[str, Any] = call.body
    partner_for(body["trading_partner_id"], "270")
    if not body["cpt_bundle"]:
        raise invalid({"cpt_bundle": ["Give at least one code."]})
    stored = stored_price(call, body["trading_partner_id"], body["cpt_bundle"])
    if "price" not in body:
        if stored is None:
            raise RefusalError(422, {"query": "No price is stored for this partner and bundle."})
        return Answer(stored)
    price = {
        "uuid": stored["uuid"] if stored else call.world.new_uuid(),
        "client_id": call.client_id,
        "trading_partner_id": body["trading_partner_id"],
        "cpt_bundle": body["cpt_bundle"],
        "price": {"currency": "USD", **body["price"]},
    }
    call.world.store.put_document(KIND, price["uuid"], price, owner=call.client_id)
    return Answer(price)


def list_oop_prices(call: Call) -> Answer:
    """Answer the stored prices, oldest first."""
    return page(call, call.world.store.documents(KIND, owner=call.client_id))


def get_oop_price(call: Call) -> Answer:
    """Answer one stored price."""
    return Answer(_price(call))


def delete_oop_price(call: Call) -> Answer:
    """Forget a stored price; an empty object is answered, as an old client's tests want one."""
    call.world.store.delete_document(KIND, _price(call)["uuid"], owner=call.client_id)
    return Answer({})


def stored_price(call: Call, trading_partner_id: str, bundle: list[str]) -> Price | None:
    """Return the stored price of a bundle, or None."""
    return next(
        (
            price
            for price in call.world.store.documents(KIND, owner=call.client_id)
            if price["trading_partner_id"] == trading_partner_id and sorted(price["cpt_bundle"]) == sorted(bundle)
        ),
        None,
    )


def _price(call: Call) -> Price:
    uuid = call.path["price_uuid"]
    call.record["parameters"] = {"price_uuid": uuid}
    found = call.world.store.document(KIND, uuid, owner=call.client_id)
    if found is None:
        raise RefusalError(404, {"query": "No price has this uuid."})
    return found


HANDLERS = {
    "load_oop_price": Handler(load_oop_price, activity="oop", billed=True),
    "list_oop_prices": Handler(list_oop_prices, activity="oop", billed=True),
    "get_oop_price": Handler(get_oop_price, activity="oop", billed=True),
    "delete_oop_price": Handler(delete_oop_price, activity="oop", billed=True),
}
