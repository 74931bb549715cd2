"""The deliveries' payloads, each with only the fields that are used. Nothing in a payload makes reading it fail."""

from typing import Self

import msgspec

from billing.commands import GitHubAccount, MarketplaceHint
from billing.values import GitHubAccountId, InstallationId
from handlers.tolerant import JsonText, a_moment, a_text, an_id, read


class AccountFields(msgspec.Struct, frozen=True, kw_only=True):
    """A user or an organization; or an enterprise, which has a slug instead of a login and ids of its own."""

    id: int | None = None
    login: str | None = None
    type: str | None = None
    slug: str | None = None

    def account(self, *, target_type: str | None = None) -> GitHubAccount | None:
        """The account that can be a customer: none without an id, nor an enterprise, whose ids are another series."""
        number = an_id(self.id)
        kind = a_text(self.type) or a_text(target_type)
        if (
            number is None
            or kind == "Enterprise"
            or (self.slug is not None and self.login is None and kind != "Organization")
        ):
            return None
        return GitHubAccount(id=GitHubAccountId(number), login=a_text(self.login), type=kind)


class PlanFields(msgspec.Struct, frozen=True, kw_only=True):
    """The plan in a purchase."""

    id: int | None = None


class PurchaseFields(msgspec.Struct, frozen=True, kw_only=True):
    """The purchase in a `marketplace_purchase`. In a `cancelled` one, `plan` is the plan that ended."""

    account: AccountFields | None = None
    plan: PlanFields | None = None


class MarketplacePurchase(msgspec.Struct, frozen=True, kw_only=True):
    """A `marketplace_purchase` delivery. It never names the installation, so the account's id is what joins the two."""

    action: str | None = None
    effective_date: str | None = None
    marketplace_purchase: PurchaseFields | None = None

    @classmethod
    def parse(cls, body: JsonText) -> Self:
        """Read the delivery's JSON text."""
        return read(cls, body)

    @property
    def account(self) -> GitHubAccount | None:
        """Who is billed, which isn't always who clicked."""
        purchase = self.marketplace_purchase
        return None if purchase is None or purchase.account is None else purchase.account.account()

    @property
    def hint(self) -> MarketplaceHint:
        """What the delivery claims; the plan itself is asked of GitHub."""
        purchase = self.marketplace_purchase
        plan = None if purchase is None or purchase.plan is None else purchase.plan
        return MarketplaceHint(
            action=a_text(self.action),
            marketplace_plan_id=None if plan is None else an_id(plan.id),
            effective_at=a_moment(self.effective_date),
        )


class InstallationFields(msgspec.Struct, frozen=True, kw_only=True):
    """The installation in a delivery. Its account may be null."""

    id: int | None = None
    account: AccountFields | None = None
    target_type: str | None = None


class InstallationChange(msgspec.Struct, frozen=True, kw_only=True):
    """An `installation`, `installation_repositories` or `installation_target` delivery.

    The last one has the renamed account at its top and an installation that names nothing but its id.
    """

    action: str | None = None
    installation: InstallationFields | None = None
    account: AccountFields | None = None
    target_type: str | None = None
    sender: AccountFields | None = None

    @classmethod
    def parse(cls, body: JsonText) -> Self:
        """Read the delivery's JSON text."""
        return read(cls, body)

    @property
    def installation_id(self) -> InstallationId | None:
        """Which installation this is about."""
        number = None if self.installation is None else an_id(self.installation.id)
        return None if number is None else InstallationId(number)

    @property
    def known_account(self) -> GitHubAccount | None:
        """The account as the delivery tells it, at its top or in the installation."""
        renamed = None if self.account is None else self.account.account(target_type=self.target_type)
        if renamed is not None or self.installation is None or self.installation.account is None:
            return renamed
        return self.installation.account.account(target_type=self.installation.target_type)

    @property
    def sender_id(self) -> GitHubAccountId | None:
        """Who acted; deliveries about a rename may have no sender."""
        number = None if self.sender is None else an_id(self.sender.id)
        return None if number is None else GitHubAccountId(number)
