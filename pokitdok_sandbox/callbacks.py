"""Callbacks: posts an activity to the address its caller gave, each time an outcome comes. Off the path of requests."""

from __future__ import annotations

import json
import logging
import ssl
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from pokitdok_sandbox.lifecycle import PATHS, is_over, outcomes, reached, steps, view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pokitdok_sandbox.settings import Pace
    from pokitdok_sandbox.store import Store

    Post = Callable[[str, bytes], None]

logger = logging.getLogger("pokitdok_sandbox")

KIND = "callback"
TICK = 0.1
"""Seconds between two looks at what is due."""
PATIENCE = 10.0
"""Seconds that a receiver gets to answer."""


class CallbackError(Exception):
    """The receiver did not take the callback; the text says how, without the content."""


class Callbacks:
    """Knows which activities have somebody waiting for them, and posts to those whose outcome has come.

    One attempt for each outcome: the documentation knows no other, and a failure is kept in the activity as
    ``callback_error``. Nothing is posted until ``start``, or by each call of ``post_due``.

    Args:
        store: Where the activities are.
        pace: How they advance.
        clock: Unix time.
        post: Sends a JSON body to an address; raises when it was not taken.
    """

    def __init__(self, store: Store, pace: Pace, clock: Callable[[], float], post: Post) -> None:
        self._store = store
        self._pace = pace
        self._clock = clock
        self._post = post
        self._lock = Lock()
        self._wake = Event()
        self._stopped = False
        self._thread: Thread | None = None
        self._due: dict[str, float] = {note["id"]: 0.0 for note in store.documents(KIND) if not note["done"]}

    def watch(self, record: Mapping[str, Any]) -> None:
        """Post for this activity when its outcomes come; does nothing for one without an address."""
        if "callback_url" not in record or record.get("ended") in {"failed", "canceled"}:
            return
        self._store.put_document(KIND, record["id"], {"id": record["id"], "posted": 0, "done": False})
        with self._lock:
            self._due[record["id"]] = 0.0
        self._wake.set()

    def error(self, activity_id: str) -> str | None:
        """Return why the last callback of an activity failed, or None."""
        note = self._store.document(KIND, activity_id)
        return note.get("error") if note else None

    def clear(self) -> None:
        """Forget everybody who waits."""
        with self._lock:
            self._due.clear()

    def post_due(self) -> int:
        """Post what is due by now; return how many posts that were."""
        now = self._clock()
        with self._lock:
            ripe = [activity_id for activity_id, moment in self._due.items() if moment <= now]
        return sum(self._post_for(activity_id, now) for activity_id in ripe)

    def start(self) -> None:
        """Post from now on by a thread of its own, until ``stop``."""
        self._thread = Thread(target=self._run, name="pokitdok-sandbox-callbacks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a post under way is given up with the process."""
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(TICK * 5)

    def _run(self) -> None:
        while not self._stopped:
            with self._lock:
                waiting = bool(self._due)
            self._wake.wait(TICK if waiting else None)
            self._wake.clear()
            if not self._stopped:
                try:
                    self.post_due()
                except Exception as error:  # noqa: BLE001 - the thread outlives it; its text could quote a patient
                    logger.error("callbacks: %s", type(error).__name__)  # noqa: TRY400 - see above

    def _post_for(self, activity_id: str, now: float) -> int:
        record = self._store.activity(activity_id)
        note = self._store.document(KIND, activity_id)
        if record is None or note is None or record.get("ended") == "canceled":
            self._forget(activity_id)
            return 0
        moments = reached(record, now, self._pace)
        known = len(list(outcomes(record | {"appended": []}, moments)))
        if not record.get("outcomes") and len(moments) == len(PATHS[record["path"]]):
            known = 1  # work that has an end but no result
        for number in range(note["posted"] + 1, known + 1):
            shown = record | {"outcomes": record.get("outcomes", [])[:number]}
            note["error"] = self._send(shown, now)
        count: int = max(0, known - note["posted"])
        note["posted"] += count
        note["done"] = is_over(record, now, self._pace)
        if count or note["done"]:
            self._store.put_document(KIND, activity_id, note)
        if note["done"]:
            self._forget(activity_id)
        elif self._pace.advance == "clock":
            self._wait_until(record, len(moments))
        return count

    def _wait_until(self, record: Mapping[str, Any], already: int) -> None:
        path = PATHS[record["path"]]
        after = [*(stage.after for stage in path), *(outcome["after"] for outcome in record.get("outcomes", [])[1:])]
        target = max(already, len(path) - 1)
        if target < steps(record):
            with self._lock:
                self._due[record["id"]] = record["created"] + after[target] / self._pace.speed

    def _send(self, record: Mapping[str, Any], now: float) -> str | None:
        """Post one activity; return what went wrong, or None."""
        activity = view(record, now, self._pace)
        if "application_data" in record:
            activity["application_data"] = record["application_data"]
        try:
            self._post(record["callback_url"], json.dumps(activity).encode())
        except Exception as error:  # noqa: BLE001 - whatever a receiver does wrong stays with its activity
            logger.warning("callback of activity %s failed: %s", record["id"], type(error).__name__)
            return f"{record['callback_url']}: {error}"
        return None

    def _forget(self, activity_id: str) -> None:
        with self._lock:
            self._due.pop(activity_id, None)


def post_by_http(url: str, content: bytes) -> None:
    """Post to exactly this address: redirects are not followed, proxies of the environment not used.

    Raises:
        CallbackError: The receiver answered something else than a success.
        httpx.HTTPError: There was no answer.
    """
    import httpx  # noqa: PLC0415 - only a sandbox with callbacks pays for it

    with httpx.Client(trust_env=False, timeout=PATIENCE, verify=ssl.create_default_context()) as client:
        response = client.post(url, content=content, headers={"content-type": "application/json"})
    if not response.is_success:
        raise CallbackError(f"answered with status {response.status_code}")
