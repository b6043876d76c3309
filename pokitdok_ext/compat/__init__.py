"""For code written for the old official client: import this in place of `pokitdok`.

    from pokitdok_ext import compat as pokitdok

`PokitDokClient` (also `connect`, also `api.connect`) has the old constructor and every old method: dictionaries go in
as they are and come out as the platform sent them. What it does better is listed in docs/moving-from-the-old-client.md.
New code uses `pokitdok_ext.connect()` and the typed functions.
"""

from pokitdok_ext import __version__

from . import api
from ._client import PokitDokClient
from ._token import TokenExpiredError

connect = PokitDokClient

__all__ = ["PokitDokClient", "TokenExpiredError", "__version__", "api", "connect"]
