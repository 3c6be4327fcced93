"""``python -m fkp_live``: the same as ``fkp-live``."""

import sys

from fkp_live.commands.cli import main

sys.exit(main())
