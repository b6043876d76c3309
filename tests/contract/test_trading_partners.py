"""Trading partners as the contract promises them."""

from __future__ import annotations

import pytest

from pokitdok_api import Client
from pokitdok_api.api.trading_partners import get_trading_partner, list_trading_partners
from pokitdok_api.models import MemberSearchOption, TradingPartner

pytestmark = pytest.mark.vcr


def test_list_is_whole_and_names_the_test_payer(client: Client) -> None:
    envelope = list_trading_partners.sync(client=client)
    assert envelope.data
    assert "MOCKPAYER" in {partner.id for partner in envelope.data}
    assert envelope.meta
    assert not envelope.meta.next_


def test_partner_says_how_members_are_found(client: Client) -> None:
    partner = get_trading_partner.sync("MOCKPAYER", client=client).data
    assert isinstance(partner, TradingPartner)
    assert partner.is_enabled is False
    assert partner.supported_search_options
    assert all(isinstance(option, MemberSearchOption) for option in partner.supported_search_options)
