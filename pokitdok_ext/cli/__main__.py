"""`python -m pokitdok_ext.cli`: the command without its entry point."""

import sys

from . import main

sys.exit(main())
