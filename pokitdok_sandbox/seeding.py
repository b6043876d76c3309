"""What a sandbox begins with: randomness from its seed, and the activity that everybody can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pokitdok_sandbox.activities import open_record
from pokitdok_sandbox.calls import Call
from pokitdok_sandbox.claims import submit_claim
from pokitdok_sandbox.lifecycle import QUEUED
from pokitdok_sandbox.samples import sample
from pokitdok_sandbox.settings import WELL_KNOWN_ACTIVITY

if TYPE_CHECKING:
    from pokitdok_sandbox.world import World


def seed(world: World) -> None:
    """Begin: randomness from its seed, and the activity that the platform's documentation reads, a finished claim.

    That activity belongs to no application and is seen by all: whoever follows the documentation reads it.
    """
    if world.settings.seed is not None:
        # what a file kept from before was made of another stretch, so no id comes twice
        kept = world.store.activities(limit=1, offset=0, parent_id=None)[1]
        world.random.seed(f"{world.settings.seed} {kept}")
    if not world.settings.empty and world.store.activity(WELL_KNOWN_ACTIVITY) is None:
        created = int(WELL_KNOWN_ACTIVITY[:8], 16)
        record = open_record(world, "claims", created) | {"id": WELL_KNOWN_ACTIVITY}
        call = Call(world, created, world.settings.client_id, {}, {}, sample("claims")["well_known"], "", record=record)
        submit_claim(call)
        record["polls"] = [created + stage.after for stage in QUEUED[1:]]
        world.store.add_activity(record)
