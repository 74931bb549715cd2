"""What runs beside the requests: the worker and the sender, as the composition sees them."""

from typing import Protocol


class BackgroundService(Protocol):
    """Something that works until it is stopped."""

    async def run(self) -> None:
        """Work until stopped."""
        ...

    def wake(self) -> None:
        """Look for work at once."""
        ...

    async def stop(self) -> None:
        """Begin nothing new, and return when what is under way has ended."""
        ...
