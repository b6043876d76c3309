import sqlite3
from contextlib import closing

import pytest
from front_desk import Vault

from pokitdok_ext import connect
from pokitdok_ext.testing.stores import TokenStoreContract


class TestVault(TokenStoreContract):
    @pytest.fixture
    def open_store(self, tmp_path):
        return lambda: Vault(tmp_path / "vault.db")

    @pytest.fixture
    def write_raw(self, tmp_path):
        def write(key, text):
            with closing(sqlite3.connect(tmp_path / "vault.db")) as vault, vault:
                vault.execute("UPDATE secret SET content = ? WHERE name = ?", (text, key))

        return write


def test_two_desks_share_a_token(pokitdok_sandbox, tmp_path):
    for _ in range(2):
        with connect(store=Vault(tmp_path / "vault.db")) as client:
            client.tokens.warm()
    assert pokitdok_sandbox.state()["token_requests"] == 1
