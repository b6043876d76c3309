"""What never gets into a cassette: credentials and tokens, and headers that nobody needs.

vcrpy asks for each request twice, when it records and when it looks for what to play: both go through here, so that a
scrubbed request still finds its answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from pokitdok_ext.testing._bodies import bare
from pokitdok_ext.testing._readable import canonical, media_type

REDACTED = "REDACTED"

SECRET_MEMBERS = frozenset({"client_secret", "access_token", "refresh_token", "code", "token"})
KEPT_HEADERS = frozenset({"accept", "allow", "content-type", "location", "retry-after", "www-authenticate"})
"""All others tell about a machine, change from run to run, or may say anything; none of them matters to a replay."""
KEPT_PREFIX = "x-sandbox-"


def scrub_request(request: Any) -> Any:
    """A request as a cassette may hold it; for vcrpy's ``before_record_request``."""
    request.body, headers = canonical(request.body, request.headers)
    redacted = {name: REDACTED for name in request.headers if name.lower() == "authorization"}
    request.headers = {**_kept(headers), **redacted}
    name = bare(media_type(request.headers))
    text = request.body.decode(errors="replace") if isinstance(request.body, bytes) else request.body or ""
    if name == "application/x-www-form-urlencoded":
        form = [(key, REDACTED if key in SECRET_MEMBERS else value) for key, value in parse_qsl(text, True)]
        request.body = urlencode(form).encode()
    elif name.endswith("json"):
        request.body = without_tokens(text)
    return request


def scrub_interaction(request: Any, response: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """An interaction as a cassette may hold it; for vcrpy's ``before_save_interaction``."""
    body = {"string": without_tokens(response["body"]["string"])}
    return request, {**response, "headers": _kept(response["headers"]), "body": body}


def without_tokens(body: bytes | str) -> bytes | str:
    """*body* with its tokens redacted, if it is a JSON object that has some."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    if not isinstance(value, dict) or not SECRET_MEMBERS & value.keys():
        return body
    scrubbed = {name: REDACTED if name in SECRET_MEMBERS else member for name, member in value.items()}
    return json.dumps(scrubbed).encode()


def _kept(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in headers.items()
        if name.lower() in KEPT_HEADERS or name.lower().startswith(KEPT_PREFIX)
    }
