"""Taking the power away from the product under test: from a chosen moment on, nothing it does reaches the database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy import Engine, event

from tests.sending import watched_sending

Moment = Literal["statement", "commit", "committed", "read-back"]


class PowerCutError(Exception):
    """The product has no power; this is what it would never have noticed."""


class Power:
    """The product's power. It is on until the moment that `cut_at` names, and again from `restore` on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moment: Moment | None = None
        self._left = 0
        self.is_cut = False
        self.statements = 0
        self.commits = 0
        self._seen = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch every database engine of this process, whichever the product opens; who only looks on has none."""
        event.listen(Engine, "commit", self._before_commit)
        try:
            with watched_sending(self._before_execute):
                yield
        finally:
            event.remove(Engine, "commit", self._before_commit)

    def cut_at(self, moment: Moment, after: int) -> None:
        """Take the power away at such a moment, after so many of them went well."""
        with self._lock:
            self._moment, self._left = moment, after

    def restore(self) -> None:
        """Give the power back, and forget when it was to go."""
        with self._lock:
            self._moment, self.is_cut = None, False

    def disarm(self) -> None:
        """Forget when the power was to go, if it hasn't gone."""
        with self._lock:
            self._moment = None

    def read_back(self) -> None:
        """GitHub has answered; the product hasn't heard yet."""
        self._reach("read-back")

    def is_quiet(self) -> bool:
        """Whether the product asked its database nothing since this was last called; while it asks, it is at work."""
        seen, self._seen = self._seen, self.statements
        return seen == self.statements

    def _before_execute(self, *_: object) -> None:
        self.statements += 1
        self._reach("statement")
        self._require()

    def _before_commit(self, *_: object) -> None:
        self.commits += 1
        self._reach("commit")
        self._require()
        # This one still happens: nothing asks again before the disk has it.
        self._reach("committed")

    def _reach(self, moment: Moment) -> None:
        with self._lock:
            if self._moment == moment:
                self._left -= 1
                self.is_cut = self.is_cut or self._left < 0

    def _require(self) -> None:
        if self.is_cut:
            raise PowerCutError
