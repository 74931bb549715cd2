"""The later event that heals a loss: at the end, whoever the product can't know about does something once more.

GitHub doesn't send a lost webhook again, and tells nobody of a failed payment; what the product promises is to come
right with the account's next event. Whoever it was told about must not need that.
"""

from collections.abc import Iterator
from datetime import datetime

from tests.system.github_side import GitHubSide
from tests.system.history import Do
from tests.system.player import Player


class RollCall:
    """Looks who needs a later event, and sees to it."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._github: GitHubSide = player.github

    async def heal(self) -> None:
        """Have everybody do something whom the product can't know about."""
        for who, account in enumerate(self._github.accounts):
            for hook, since in (
                ("marketplace", self._unseen_purchase_since(account.id)),
                ("app", self._unseen_installation_since(account.id)),
                ("", self._unseen_login_since(account.id)),
            ):
                if since is not None:
                    self._refuse_if_told(account.id, hook, since)
                    await self._player.act(self._remedy(who, hook))
                    await self._player.settle()

    def _unseen_purchase_since(self, account_id: int) -> datetime | None:
        """Since when something holds that the product didn't ask about; None if it did."""
        changes = self._github.chronicle.purchases[account_id]
        answers = self._github.chronicle.asked_about_purchase(account_id)
        changed_at = changes[-1][0]
        was_seen = len(changes) == 1 or (answers and answers[-1].at >= changed_at)
        return None if was_seen else changed_at

    def _unseen_installation_since(self, account_id: int) -> datetime | None:
        """The same, of the account's installations: a later one, when seen, says that those before are gone."""
        chronicle = self._github.chronicle
        seen_alive = max(
            (
                asked.at
                for number in chronicle.installations_of(account_id)
                for asked in chronicle.asked_about_installation(number)
                if asked.was_there
            ),
            default=None,
        )
        for number, installed in chronicle.installations_of(account_id).items():
            changed_at = chronicle.installations[number][-1][0]
            answers = chronicle.asked_about_installation(number)
            if answers and answers[-1].at >= changed_at:
                continue
            if installed.state == "deleted" and (not answers or (seen_alive is not None and seen_alive >= changed_at)):
                continue
            return changed_at
        return None

    def _unseen_login_since(self, account_id: int) -> datetime | None:
        chronicle = self._github.chronicle
        changes = chronicle.logins[account_id]
        numbers = chronicle.installations_of(account_id)
        was_seen = any(
            asked.was_there and asked.at >= changes[-1][0]
            for asked in chronicle.asked
            if asked.subject == account_id or asked.subject in numbers
        )
        return None if was_seen or len(changes) == 1 else changes[-1][0]

    def _refuse_if_told(self, account_id: int, hook: str, since: datetime) -> None:
        """Fail if the product was told, and still didn't ask."""
        told = [guid for guid in self._told(account_id, hook, since) if guid in self._player.record.accepted]
        if told:
            complaint = f"account {account_id}: {hook} changed at {since}, {told} told of it, and nobody asked GitHub"
            raise AssertionError(self._player.told(complaint))

    def _told(self, account_id: int, hook: str, since: datetime) -> Iterator[str]:
        for guid, webhook in self._player.record.sent.items():
            event = webhook.event
            if event.hook == hook and event.created_at >= since and webhook.account_id == account_id:
                yield guid

    def _remedy(self, who: int, hook: str) -> Do:
        """Something that the account can do just now, and that the hook is told of."""
        world, account = self._github.world, self._github.accounts[who]
        installation = world.state.installation_of(account)
        if hook == "app" or (hook == "" and installation is not None):
            return Do(who=who, act="install" if installation is None else "add_repositories")
        purchase = world.state.purchases.get(account.id)
        if purchase is None:
            return Do(who=who, act="buy", plan="Free")
        if purchase.pending is not None:
            return Do(who=who, act="withdraw_change")
        is_free = purchase.terms.next_billing_date is None
        return Do(who=who, act="change", plan="Pro") if is_free else Do(who=who, act="cancel")
