"""The order of what was done at once: nobody sees it, so one is looked for that explains all answers."""

from collections.abc import Sequence
from typing import Final

from tests.ledger.model import Answer, Model
from tests.ledger.script import Do, told

MOST_TRIES: Final = 5_000
"""How many orders of what was done at once are tried."""


class Search:
    """Looks for an order of what was done at once in which the model answers the same."""

    def __init__(self, clock: int, alerts: list[tuple[int, int, int]], *, is_billing_on: bool) -> None:
        self.broken = ""
        self._clock = clock
        # By which command something expired tells nobody but the low balance that it led to.
        self._alerts = alerts
        self._is_billing_on = is_billing_on
        self._tries = 0
        self._fewest = 1000
        # What is left to be explained, and where the model stands then: whatever came before in which order.
        self._hopeless: set[tuple[object, ...]] = set()

    def explain(self, model: Model, waiting: Sequence[tuple[Do, Answer]]) -> Model | None:
        """The model after all of them; None if there is no such order."""
        if not waiting:
            return model if model.alerts == self._alerts else None
        point = (frozenset(id(do) for do, _ in waiting), len(model.journal), tuple(model.alerts))
        if point in self._hopeless:
            return None
        placed = min((answer[1][0] for _, answer in waiting if has_place(answer)), default=0)
        # What may stand anywhere is tried first, as it mostly changes nothing.
        candidates = sorted(
            (pair for pair in waiting if not has_place(pair[1]) or pair[1][1][0] == placed),
            key=lambda pair: has_place(pair[1]),
        )
        for do, answer in candidates:
            self._tries += 1
            if self._tries > MOST_TRIES:
                return None
            trial = model.copy()
            expected = trial.do(do.command, self._clock, is_billing_on=self._is_billing_on)
            if expected == answer:
                rest = [pair for pair in waiting if pair[0] is not do]
                found = self.explain(trial, rest)
                if found is not None:
                    return found
            elif len(waiting) < self._fewest or has_place(answer):
                self._fewest = len(waiting)
                self.broken = f"{told((do,))}\n  program: {answer}\n  model:   {expected}"
        self._hopeless.add(point)
        return None


def has_place(answer: Answer) -> bool:
    """Whether the answer tells which place in the journal the command had."""
    return answer[0] == "done" and not answer[2]
