"""How far a benchmark has come, on stderr: its figures go to stdout."""

import sys
import time
from typing import Final

_BEGUN: Final = time.monotonic()


def tell(text: str) -> None:
    """Say what is done next, behind the time since the benchmark began."""
    minutes, seconds = divmod(int(time.monotonic() - _BEGUN), 60)
    print(f"{minutes:3}:{seconds:02} {text}", file=sys.stderr, flush=True)
