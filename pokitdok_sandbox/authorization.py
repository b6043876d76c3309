"""The page on which a user lets an application act for them (RFC 6749 section 4.1). Codes are traded in grants.

A browser's way, so no operation of the contract: there it stands under x-browser, inferred from the old clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response

from pokitdok_sandbox import tokens
from pokitdok_sandbox.applications import Application, allows_redirect
from pokitdok_sandbox.reading import is_unicode
from pokitdok_sandbox.wire import mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from pokitdok_sandbox.settings import Settings
    from pokitdok_sandbox.world import World

PATH = "/oauth2/authorize"
FIELDS = ("response_type", "client_id", "redirect_uri", "scope", "state")
NO_STORE = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
SHELL = (
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width">\n<title>{title}</title>\n'
    "<style>body {{font: 1rem/1.5 system-ui, sans-serif; max-width: 30rem; margin: 3rem auto; padding: 0 1rem}} "
    "button {{font: inherit; padding: .4rem 1.2rem; margin-right: .6rem}} code {{overflow-wrap: anywhere}}</style>\n"
    "<h1>{title}</h1>\n{body}\n</html>\n"
)


@dataclass(frozen=True)
class AuthorizationRequest:
    """What an application asks a user for, found good.

    Attributes:
        application: Who asks.
        redirect_uri: Where the user goes afterwards.
        redirect_uri_sent: Whether the request named it; the token request then has to name it again.
        scopes: What is asked for.
        state: Handed back as it came; None when there was none.
    """

    application: Application
    redirect_uri: str
    redirect_uri_sent: bool
    scopes: list[str]
    state: str | None


class PageError(Exception):
    """The user is told, and not sent anywhere: whoever asks is not known (RFC 6749 section 4.1.2.1)."""


class RedirectError(Exception):
    """The application is told, by the redirect."""

    def __init__(self, error: str, redirect_uri: str, state: str | None) -> None:
        super().__init__(error)
        self.location = location(redirect_uri, state, error=error)


def read_request(settings: Settings, values: Mapping[str, str]) -> AuthorizationRequest:
    """Read the query of the page.

    Raises:
        PageError: The application or its redirect URI is not known.
        RedirectError: Anything else is wrong.
    """
    application = settings.application(values.get("client_id", ""))
    if application is None:
        raise PageError("No application has this client_id.")
    registered = application.redirect_uris or settings.redirect_uris
    redirect_uri = values.get("redirect_uri") or (registered[0] if len(registered) == 1 else "")
    if not redirect_uri:
        raise PageError("The address has no redirect_uri.")
    if not allows_redirect(registered, redirect_uri):
        rule = "one that is registered, character by character" if registered else "on localhost, 127.0.0.1 or [::1]"
        raise PageError(f"The redirect_uri has to be {rule}; register others with --redirect-uri.")
    state = values.get("state")
    scopes = values.get("scope", "").split()
    if values.get("response_type") != "code":
        error = "unsupported_response_type" if values.get("response_type") else "invalid_request"
        raise RedirectError(error, redirect_uri, state)
    if application.scopes is not None and not application.scopes.issuperset(scopes):
        raise RedirectError("invalid_scope", redirect_uri, state)
    return AuthorizationRequest(application, redirect_uri, bool(values.get("redirect_uri")), scopes, state)


def location(redirect_uri: str, state: str | None, **answer: str) -> str:
    """Return the redirect URI with the answer and the state added to its query."""
    query = urlencode(answer | ({} if state is None else {"state": state}))
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}"


def decide(world: World, wish: AuthorizationRequest, decision: str) -> str:
    """Return where to send the user: with a code after "allow", with an error after "deny"."""
    if decision != "allow":
        return location(wish.redirect_uri, wish.state, error="access_denied")
    family = world.new_uuid()
    code = tokens.issue(
        world,
        "code",
        world.clock(),
        client_id=wish.application.client_id,
        scopes=wish.scopes,
        family=family,
        redirect_uri=wish.redirect_uri,
        redirect_uri_sent=wish.redirect_uri_sent,
    )
    return location(wish.redirect_uri, wish.state, code=code)


class ConsentPage:
    """Serves the page, and takes the form that it holds.

    ``Settings.consent`` other than "ask" decides at once, so that a script gets its redirect without a person.
    """

    def __init__(self, world: World, meanings: Mapping[str, str]) -> None:
        self._world = world
        self._meanings = meanings

    async def serve(self, request: Request) -> Response:
        """Answer GET and POST."""
        self._world.counters.count_request("authorize_user", token=False)
        values = dict(request.query_params)
        decision: str = self._world.settings.consent
        if request.method == "POST":
            form = await request.form()
            values |= {name: value for name, value in form.items() if isinstance(value, str) and is_unicode(value)}
            decision = values.get("decision", decision)
        return mark(self._answer(values, decision), evidence="inferred", warnings=[])

    def _answer(self, values: Mapping[str, str], decision: str) -> Response:
        try:
            wish = read_request(self._world.settings, values)
        except PageError as error:
            body = f"<p>{escape(str(error))}</p>"
            return HTMLResponse(SHELL.format(title="This request cannot be served", body=body), 400, NO_STORE)
        except RedirectError as error:
            return RedirectResponse(error.location, 302, NO_STORE)
        if decision in {"allow", "deny"}:
            return RedirectResponse(decide(self._world, wish, decision), 302, NO_STORE)
        return HTMLResponse(self._page(wish, values), 200, NO_STORE)

    def _page(self, wish: AuthorizationRequest, values: Mapping[str, str]) -> str:
        name = escape(wish.application.name or wish.application.client_id)
        asked = "".join(
            f"<li><code>{escape(scope)}</code> {escape(self._meanings.get(scope, ''))}</li>" for scope in wish.scopes
        )
        hidden = "".join(
            f'<input type="hidden" name="{field}" value="{escape(values[field])}">'
            for field in FIELDS
            if field in values
        )
        body = (
            f"<p><strong>{name}</strong> asks to act for you on this sandbox.</p>\n"
            f"{f'<ul>{asked}</ul>' if asked else '<p>It asks for no scope.</p>'}\n"
            f"<p>You will return to <code>{escape(wish.redirect_uri)}</code></p>\n"
            f'<form method="post" action="{PATH}">{hidden}'
            '<button name="decision" value="allow">Allow</button>'
            '<button name="decision" value="deny">Deny</button></form>'
        )
        return SHELL.format(title=f"Allow {name}?", body=body)
