"""The token endpoint and the revocation endpoint (RFC 6749, RFC 7009). The page where a user consents: authorization.

Recorded are client credentials and the refusal of wrong ones; code and refresh token are known from the old clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pokitdok_sandbox import tokens
from pokitdok_sandbox.applications import Application, authenticate
from pokitdok_sandbox.calls import Answer, Call, Handler

if TYPE_CHECKING:
    from collections.abc import Callable


def create_token(call: Call) -> Answer:
    """Issue a token; each call another one, and earlier ones stay valid."""
    form: dict[str, str] = call.body
    grant = form.get("grant_type")
    application = authenticate(call.world.settings.registered, call.authorization, form)
    if application is None:
        answer = _refused("invalid_client")
    elif grant is None:
        answer = _refused("invalid_request")
    elif grant not in GRANTS:
        answer = _refused("unsupported_grant_type")
    else:
        answer = GRANTS[grant](call, application)
    call.world.counters.count_token(grant if grant in GRANTS else "other", answer.data.get("error"))
    return answer


def revoke_token(call: Call) -> Answer:
    """Withdraw a token, for the application that it belongs to.

    The old C# client sends JSON and the token itself as bearer; RFC 7009 has a form and client credentials: both will
    do. A token that is not known is answered as one that is (RFC 7009 section 2.2). 406 without a token: that client.
    """
    holder = tokens.holder_of(call.world, call.authorization, call.now)
    application = None if holder else authenticate(call.world.settings.registered, call.authorization, call.body)
    client_id = holder.client_id if holder else application.client_id if application else None
    if client_id is None:
        return Answer({"message": "Unauthorized"}, status=401)
    if not call.body.get("token"):
        return Answer({"message": "Not Acceptable"}, status=406)
    name = tokens.digest(call.body["token"])
    known = call.world.store.token(name)
    if known is not None and known["client_id"] == client_id:
        if known.get("kind") == "refresh":  # RFC 7009 section 2.1: the access tokens of that consent end with it
            call.world.store.delete_family(known["family"])
        else:
            call.world.store.delete_token(name)
    return Answer(None)


def _client_credentials(call: Call, application: Application) -> Answer:
    scopes = call.body.get("scope", "").split()
    if application.scopes is not None and not application.scopes.issuperset(scopes):
        return _refused("invalid_scope")
    return _issued(call, application, scopes)


def _authorization_code(call: Call, application: Application) -> Answer:
    code, redirect_uri = call.body.get("code"), call.body.get("redirect_uri")
    if not code:
        return _refused("invalid_request")
    known = tokens.find(call.world, code, "code", call.now)
    if known is None or known["client_id"] != application.client_id:
        return _refused("invalid_grant")
    wanted = known["redirect_uri"]
    if redirect_uri != wanted and (redirect_uri is not None or known["redirect_uri_sent"]):
        return _refused("invalid_grant")
    return _used_once(call, application, code, known, known["scopes"])


def _refresh_token(call: Call, application: Application) -> Answer:
    refresh, scope = call.body.get("refresh_token"), call.body.get("scope")
    if not refresh:
        return _refused("invalid_request")
    known = tokens.find(call.world, refresh, "refresh", call.now)
    if known is None or known["client_id"] != application.client_id:
        return _refused("invalid_grant")
    scopes = known["scopes"] if scope is None else scope.split()
    if not set(known["scopes"]).issuperset(scopes):
        return _refused("invalid_scope")
    return _used_once(call, application, refresh, known, scopes)


def _used_once(call: Call, application: Application, text: str, known: dict[str, Any], scopes: list[str]) -> Answer:
    """Trade a code or a refresh token for new ones. A second use means that a copy is about: the whole family ends."""
    if not call.world.store.use_token(tokens.digest(text)):
        call.world.store.delete_family(known["family"])
        return _refused("invalid_grant")
    return _issued(call, application, scopes, family=known["family"], refresh_scopes=known["scopes"])


def _issued(
    call: Call,
    application: Application,
    scopes: list[str],
    *,
    family: str | None = None,
    refresh_scopes: list[str] | None = None,
) -> Answer:
    life = call.world.settings.token_life
    names: dict[str, Any] = {"client_id": application.client_id}
    names |= {} if family is None else {"family": family}
    answer: dict[str, Any] = {
        "access_token": tokens.issue(call.world, "access", call.now, scopes=scopes, **names),
        "token_type": "bearer",
        "expires": int(call.now + life + call.skew),
        "expires_in": life,
    }
    if refresh_scopes is not None:
        answer["refresh_token"] = tokens.issue(call.world, "refresh", call.now, scopes=refresh_scopes, **names)
    if scopes:
        answer["scope"] = " ".join(scopes)
    return Answer(answer)


def _refused(error: str) -> Answer:
    return Answer({"error": error}, status=400)


GRANTS: dict[str, Callable[[Call, Application], Answer]] = {
    "client_credentials": _client_credentials,
    "authorization_code": _authorization_code,
    "refresh_token": _refresh_token,
}

HANDLERS = {
    "create_token": Handler(create_token, activity=None),
    "revoke_token": Handler(revoke_token, activity=None),
}
