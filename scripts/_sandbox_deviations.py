"""Ways in which the sandbox might stray from the platform, each made by a change that somebody could make.

None may go unnoticed by the sandbox's own tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "pokitdok_sandbox"


@dataclass(frozen=True)
class Deviation:
    """A change of one module: *old*, which stands in it once, gives way to *new*."""

    what: str
    module: str
    old: str
    new: str

    @property
    def file(self) -> Path:
        """The module."""
        return PACKAGE / f"{self.module}.py"

    def source(self) -> str:
        """The text of the changed module.

        Raises:
            ValueError: The module has changed, so that the text to replace does not stand in it once.
        """
        text = self.file.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.what}: {self.old!r} stands in {self.file.name} {text.count(self.old)} times, not once"
            )
        return text.replace(self.old, self.new)

    def __str__(self) -> str:
        return f"{self.file.name}: {self.what}"


ANSWER = "handler.answer(replace(read, form=form))"

DEVIATIONS = (
    Deviation("a token says that it lives an hour more", "grants", '"expires_in": life,', '"expires_in": life + 3600,'),
    Deviation("a token never ends", "tokens", 'now >= known["expires"] or ', ""),
    Deviation("a token ends at once", "tokens", '"expires": now + life', '"expires": now'),
    Deviation("a token answer may be cached", "wire", '"cache-control": "no-store",', ""),
    Deviation("a wrong secret is answered 401", "grants", '_refused("invalid_client")', "Answer({}, status=401)"),
    Deviation(
        "a refresh token serves twice",
        "grants",
        "if not call.world.store.use_token(tokens.digest(text)):",
        "if not text:",
    ),
    Deviation("a revoked token goes on", "grants", "call.world.store.delete_token(name)", "pass"),
    Deviation("a scope is not asked for", "pipeline", "require_scopes(call.scopes, operation.scopes)", "pass"),
    Deviation("a call is carried out twice", "pipeline", ANSWER, f'[{ANSWER} for _ in "12"][1]'),
    Deviation("a refused call counts as executed", "pipeline", "if response.status_code < 400:", "if True:"),
    Deviation(
        "a full rate limit is answered 429", "pipeline", '"Forbidden (Rate Limited)", 403', '"Rate Limited", 429'
    ),
    Deviation("an empty account is answered 403", "pipeline", '"Payment Required", 402', '"Payment Required", 403'),
    Deviation(
        "nothing is billed",
        "pipeline",
        "        if billed:\n            meta |=",
        "        if False:\n            meta |=",
    ),
    Deviation("no activity in the envelope", "pipeline", '            "activity_id": call.record["id"],\n', ""),
    Deviation("a member renamed", "pipeline", '"processing_time": round(', '"processing_ms": round('),
    Deviation("a member retyped", "pipeline", "round((self.world.clock() - call.now) * 1000)", '"soon"'),
    Deviation(
        "a member that is not documented",
        "wire",
        '{"meta": meta, "data": data}',
        '{"meta": meta, "data": data, "x": 1}',
    ),
    Deviation(
        "JSON says that it is JSON", "wire", '{"content-type": "text/html; charset=utf-8", "mimetype"', '{"mimetype"'
    ),
    Deviation("an odd header left out", "wire", '"mimetype": "application/json", ', ""),
    Deviation("a missing slash is answered 302", "wire", '"Redirecting...", text, 301', '"Redirecting...", text, 302'),
    Deviation("405 names no method", "wire", 'headers = {"allow": ", ".join(allowed)}', "headers = {}"),
    Deviation("evidence is not told", "wire", 'response.headers["x-sandbox-evidence"] = evidence', "pass"),
    Deviation("warnings are not told", "wire", 'response.headers["x-sandbox-warning"] =', "_ ="),
    Deviation(
        "activities of others are listed",
        "activities",
        "        seen_by=call.client_id,\n    )",
        "        seen_by=None,\n    )",
    ),
    Deviation(
        "an activity that went out is canceled",
        "activities",
        "if not is_scheduled(record, call.now, call.world.settings.pace):",
        "if False:",
    ),
    Deviation("a page too many", "paging", "if offset + limit >= count:", "if offset + limit > count:"),
    Deviation("the next page begins again", "paging", '("offset", offset + limit)', '("offset", offset)'),
)
