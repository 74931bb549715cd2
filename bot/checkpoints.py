"""Making checkpoints: whatever was booked since the last ones gets under a new, signed digest."""

from collections.abc import Callable, Sequence

import structlog

from billing.ledger.checkpoints import MOST_HEADS, Checkpoint, Head, next_checkpoint
from billing.ports import Clock
from billing.values import AccountId
from bot.signing import Signer
from storage.checkpoints import Checkpoints

log = structlog.get_logger()


class CheckpointMaker:
    """Makes checkpoints beside a server that goes on writing. Several processes may do so: one of them does the work.

    Args:
        checkpoints: of the database.
        signer: signs them.
        clock: the time.
    """

    def __init__(self, checkpoints: Checkpoints, signer: Signer, clock: Clock) -> None:
        self._checkpoints = checkpoints
        self._signer = signer
        self._clock = clock

    async def make(self, *, is_stopping: Callable[[], bool] = lambda: False) -> Sequence[Checkpoint]:
        """Vouch for every account that moved since its newest head; the checkpoints that were made, none if none did.

        Each is one short transaction. Ends early when told to, or when another process makes some at the same time.

        Raises:
            TemporaryFailureError: the database is away.
        """
        last = next(iter(await self._checkpoints.latest()), None)
        made: list[Checkpoint] = []
        moved: list[Head] = []
        after: AccountId | None = None
        is_at_end = False
        while not (is_at_end or is_stopping()):
            page = await self._checkpoints.accounts(after=after)
            is_at_end, after = page.last is None, page.last
            moved += page.moved
            if moved and (is_at_end or len(moved) >= MOST_HEADS):
                heads, moved = moved[:MOST_HEADS], moved[MOST_HEADS:]
                last = await self._add(last, heads)
                if last is None:
                    break
                made.append(last)
        return made

    async def _add(self, last: Checkpoint | None, heads: Sequence[Head]) -> Checkpoint | None:
        """Append one; None if another process was quicker."""
        checkpoint = next_checkpoint(
            last, heads, now=self._clock.now(), key_id=self._signer.key_id, sign=self._signer.sign
        )
        if not await self._checkpoints.add(checkpoint, heads):
            return None
        log.info(
            "ledger_checkpoint",
            number=checkpoint.number,
            digest=checkpoint.digest.hex(),
            accounts=checkpoint.accounts,
        )
        return checkpoint
