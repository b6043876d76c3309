"""Which hosts a client may talk to, and how they are written."""

import os
import re

import httpx

from ._errors import ConfigurationError

_LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?/*")

_NO_BASE_URL = """\
no base_url: pass base_url=..., or set POKITDOK_BASE_URL.
The platform this client was written for is retired, so there is no default. To start a local one:
    python -m pokitdok_sandbox
It prints its address and credentials."""


def api_root(base_url: str | None) -> str:
    """*base_url*, else `POKITDOK_BASE_URL`, without a slash at its end, if the client may talk to it.

    Raises:
        ConfigurationError: It is not the root of a host, or plain http to another machine.
    """
    base_url = base_url or os.environ.get("POKITDOK_BASE_URL")
    if not base_url:
        raise ConfigurationError(_NO_BASE_URL)
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host or url.host.endswith("."):
        raise ConfigurationError("base_url is not the address of a host; it looks like https://api.example.com")
    if url.userinfo or url.query or url.fragment or url.path.strip("/"):
        raise ConfigurationError(
            "base_url is scheme, host and port; leave out path (/api/v4 is added), query, fragment, user and password"
        )
    if url.scheme == "http" and not _LOOPBACK.fullmatch(base_url):
        raise ConfigurationError(
            "base_url is plain http, which would show tokens and patient data on the way: use https. "
            "Plain http is for localhost, 127.0.0.1 and [::1] only, written like that"
        )
    return str(url.copy_with(raw_path=b"/")).rstrip("/")
