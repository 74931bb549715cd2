"""GitHub's answers as typed models, each with only the fields that are used."""

import msgspec

from billing.commands import GitHubAccount, InstallationTruth, MarketplaceTruth, PendingChange
from billing.values import GitHubAccountId, InstallationId, Permission
from handlers.payloads import AccountFields
from handlers.tolerant import a_count, a_moment, a_text, an_id


class PlanFields(msgspec.Struct, frozen=True, kw_only=True):
    """A plan of the Marketplace listing. The price model comes in several spellings."""

    id: int | None = None
    name: str | None = None
    price_model: str | None = None
    monthly_price_in_cents: int | None = None
    yearly_price_in_cents: int | None = None

    @property
    def per_unit(self) -> bool:
        """Whether the price is that of one unit: `PER_UNIT`, also written `per-unit`. An unknown model isn't."""
        return a_text(self.price_model).upper().replace("-", "_") == "PER_UNIT"


class PurchaseFields(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has bought."""

    billing_cycle: str | None = None
    next_billing_date: str | None = None
    unit_count: int | None = None
    on_free_trial: bool | None = None
    free_trial_ends_on: str | None = None
    plan: PlanFields | None = None


class PendingChangeFields(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled change. No units mean the end, as in a `cancelled` delivery, whatever plan stands there."""

    effective_date: str | None = None
    unit_count: int | None = None
    plan: PlanFields | None = None

    def change(self) -> PendingChange:
        """The change in billing's words."""
        ends = self.unit_count == 0
        plan = PlanFields() if ends or self.plan is None else self.plan
        return PendingChange(
            marketplace_plan_id=an_id(plan.id),
            plan_name=a_text(plan.name),
            unit_count=None if ends else a_count(self.unit_count),
            effective_at=a_moment(self.effective_date),
        )


class MarketplaceAccountFields(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /marketplace_listing/accounts/{account_id}`: the account's fields stand at the top."""

    id: int | None = None
    login: str | None = None
    type: str | None = None
    marketplace_purchase: PurchaseFields | None = None
    marketplace_pending_change: PendingChangeFields | None = None

    def truth(self, account_id: GitHubAccountId) -> MarketplaceTruth | None:
        """The purchase in billing's words; None if the answer doesn't tell the plan, or is about somebody else."""
        purchase = self.marketplace_purchase
        if self.id != account_id or purchase is None or purchase.plan is None:
            return None
        plan = purchase.plan
        plan_id = an_id(plan.id)
        if plan_id is None:
            return None
        pending = self.marketplace_pending_change
        return MarketplaceTruth(
            account=GitHubAccount(id=account_id, login=a_text(self.login), type=a_text(self.type)),
            marketplace_plan_id=plan_id,
            plan_name=a_text(plan.name),
            per_unit=plan.per_unit,
            monthly_price_cents=a_count(plan.monthly_price_in_cents) or 0,
            yearly_price_cents=a_count(plan.yearly_price_in_cents) or 0,
            billing_cycle=a_text(purchase.billing_cycle),
            unit_count=a_count(purchase.unit_count),
            on_free_trial=purchase.on_free_trial is True,
            free_trial_ends_on=a_moment(purchase.free_trial_ends_on),
            next_billing_date=a_moment(purchase.next_billing_date),
            pending=None if pending is None else pending.change(),
        )


class InstallationFields(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /app/installations/{installation_id}`. The account may be null, or an enterprise."""

    id: int | None = None
    account: AccountFields | None = None
    target_type: str | None = None
    repository_selection: str | None = None
    suspended_at: str | None = None

    def truth(self, installation_id: InstallationId) -> InstallationTruth | None:
        """The installation in billing's words; None if the answer is about another one."""
        if self.id != installation_id:
            return None
        account = None if self.account is None else self.account.account(target_type=self.target_type)
        return InstallationTruth(
            installation_id=installation_id,
            account=account,
            suspended=self.suspended_at is not None,
            repository_selection=a_text(self.repository_selection),
        )


class AppFields(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /app`."""

    id: int | None = None
    slug: str | None = None


class PermissionFields(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /repos/{owner}/{repo}/collaborators/{username}/permission`."""

    permission: str | None = None
    user: AccountFields | None = None

    def of(self, user_id: GitHubAccountId) -> Permission:
        """What this user may do; nothing if the answer is about somebody else, or names a level that we don't know."""
        if self.user is None or self.user.id != user_id or self.permission not in list(Permission):
            return Permission.NONE
        return Permission(self.permission)


class RefusalFields(msgspec.Struct, frozen=True, kw_only=True):
    """What GitHub says of a request that it refuses."""

    message: str | None = None


class RepositoryFields(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /repos/{owner}/{repo}`."""

    id: int | None = None
    name: str | None = None
    owner: AccountFields | None = None
    private: bool | None = None


class ReactionFields(msgspec.Struct, frozen=True, kw_only=True):
    """A reaction to a comment."""

    id: int | None = None
    content: str | None = None
    user: AccountFields | None = None


class CommentFields(msgspec.Struct, frozen=True, kw_only=True):
    """A comment of an issue or a pull request. `performed_via_github_app` is the App that wrote it, if one did."""

    id: int | None = None
    body: str | None = None
    user: AccountFields | None = None
    performed_via_github_app: AppFields | None = None
    updated_at: str | None = None
