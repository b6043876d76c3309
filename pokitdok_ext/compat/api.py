"""`pokitdok.api` as the old client had it: names only."""

from ._client import PokitDokClient

connect = PokitDokClient

__all__ = ["PokitDokClient", "connect"]
