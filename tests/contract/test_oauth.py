"""Tokens as the contract promises them (RFC 6749 sections 4.4 and 5)."""

from __future__ import annotations

import pytest
from vcr.cassette import Cassette

from pokitdok_api import Client
from pokitdok_api.api.oauth import create_token
from pokitdok_api.api.trading_partners import list_trading_partners
from pokitdok_api.models import GrantType, TokenRequest

from .conftest import CLIENT_ID, CLIENT_SECRET

pytestmark = pytest.mark.vcr


def test_credentials_in_the_body_give_an_hour(client: Client) -> None:
    request = TokenRequest(grant_type=GrantType.CLIENT_CREDENTIALS, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    token = create_token.sync(client=client, body=request)
    assert token.token_type == "bearer"
    assert token.expires_in == 3600
    assert token.access_token


def test_one_token_serves_many_requests(client: Client, vcr: Cassette) -> None:
    for _ in range(3):
        list_trading_partners.sync(client=client)
    paths = [request.path for request in vcr.requests]
    assert paths.count("/oauth2/token") == 1
    assert paths.count("/api/v4/tradingpartners/") == 3
