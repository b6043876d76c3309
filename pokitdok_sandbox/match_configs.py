"""Configurations of identity matching: an algorithm and the topic it reads. Matching itself is in identity_match."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pokitdok_sandbox.calls import Answer, Call, Handler, RefusalError, invalid
from pokitdok_sandbox.samples import sample

KIND = "match config"

Config = dict[str, Any]


def list_match_configs(call: Call) -> Answer:
    """Answer algorithm and topic of each configuration; the documented list shows no more."""
    return Answer([{name: config[name] for name in ("algorithm_id", "input_topic")} for config in configs(call)])


def get_match_config(call: Call) -> Answer:
    """Answer one configuration, by its uuid or its algorithm id."""
    return Answer(config_of(call, call.path["uuid_or_algorithm_id"]))


def create_or_update_match_config(call: Call) -> Answer:
    """Create a configuration, or replace the one with this algorithm id."""
    known = [config for config in configs(call) if config["algorithm_id"] == call.body["algorithm_id"]]
    return Answer(_changed(call, known[0]) if known else _created(call))


def update_match_config(call: Call) -> Answer:
    """Change a configuration.

    Raises:
        RefusalError: Another one has the new algorithm id; 422.
    """
    config = config_of(call, call.path["uuid_or_algorithm_id"])
    if any(
        other["algorithm_id"] == call.body["algorithm_id"] and other["_uuid"] != config["_uuid"]
        for other in configs(call)
    ):
        raise invalid({"algorithm_id": ["Another configuration has this id."]})
    return Answer(_changed(call, config))


def delete_match_config(call: Call) -> Answer:
    """Remove a configuration and say how many that were."""
    _put(call, config_of(call, call.path["uuid_or_algorithm_id"]) | {"deleted": True})
    return Answer({"status": "OK", "count": 1})


def configs(call: Call) -> list[Config]:
    """Return the configurations of the application: those it has from the start and those it made."""
    stored = {config["_uuid"]: config for config in call.world.store.documents(KIND, owner=call.client_id)}
    initial = {config["_uuid"]: config for config in _samples(call.client_id)}
    return [config for config in (initial | stored).values() if not config["deleted"]]


def config_of(call: Call, name: str) -> Config:
    """Return the configuration with this uuid or algorithm id.

    Raises:
        RefusalError: There is none; 404.
    """
    for config in configs(call):
        if name in {config["_uuid"], config["algorithm_id"]}:
            return config
    raise RefusalError(404, {"query": "No match configuration has this id."})


def _samples(client_id: str) -> list[Config]:
    rules = sample("identity_match")
    return [
        _config(
            uuid=str(uuid5(NAMESPACE_URL, f"{client_id}/{algorithm_id}")),
            _id=uuid5(NAMESPACE_URL, algorithm_id).hex[:24],
            algorithm_id=algorithm_id,
            input_topic=f"{algorithm_id}_source_ids",
            owner_id=client_id,
            made=rules["made"],
        )
        for algorithm_id in rules["algorithms"]
    ]


def _created(call: Call) -> Config:
    config = _config(
        uuid=call.world.new_uuid(),
        _id=call.world.new_id(call.now),
        algorithm_id=call.body["algorithm_id"],
        input_topic=call.body["input_topic"],
        owner_id=call.client_id,
        made=_ctime(call.now),
    )
    _put(call, config)
    return config


def _changed(call: Call, config: Config) -> Config:
    changed = config | {
        "algorithm_id": call.body["algorithm_id"],
        "input_topic": call.body["input_topic"],
        "update_dt": _ctime(call.now),
    }
    _put(call, changed)
    return changed


def _put(call: Call, config: Config) -> None:
    call.world.store.put_document(KIND, config["_uuid"], config, owner=call.client_id)


def _config(*, uuid: str, _id: str, algorithm_id: str, input_topic: str, owner_id: str, made: str) -> Config:
    return {
        "_type": "IdentityMatchConfig",
        "_uuid": uuid,
        "_id": _id,
        "algorithm_id": algorithm_id,
        "input_topic": input_topic,
        "owner_id": owner_id,
        "insert_dt": made,
        "update_dt": made,
        "deleted": False,
    }


def _ctime(moment: float) -> str:
    """Write a Unix time as ctime text, in which this part of the platform told the time."""
    return datetime.fromtimestamp(moment, UTC).ctime()


HANDLERS = {
    "list_match_configs": Handler(list_match_configs, activity="identity", billed=True),
    "get_match_config": Handler(get_match_config, activity="identity", billed=True),
    "create_or_update_match_config": Handler(create_or_update_match_config, activity="identity", billed=True),
    "update_match_config": Handler(update_match_config, activity="identity", billed=True),
    "delete_match_config": Handler(delete_match_config, activity="identity", billed=True),
}
