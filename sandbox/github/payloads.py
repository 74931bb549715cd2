"""The JSON of GitHub's webhooks. Shapes follow GitHub's OpenAPI description of webhooks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from sandbox.github import shapes
from sandbox.github.model import Account, Hook, Installation, PendingChange, Purchase, Repository, Terms
from sandbox.github.state import GitHubState

Json = dict[str, Any]
InstallationAction = Literal["created", "deleted", "suspend", "unsuspend", "new_permissions_accepted"]
MarketplaceAction = Literal["purchased", "changed", "cancelled", "pending_change", "pending_change_cancelled"]
ZEN = "Keep it logically awesome."


def webhook_time(moment: datetime) -> str:
    """Write a time as the Marketplace's webhooks do: whole seconds and an offset in figures."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def repository_items(repositories: Sequence[Repository]) -> list[Json]:
    """Return repositories in the short form of installation events."""
    return [
        {
            "id": known.id,
            "node_id": known.node_id,
            "name": known.name,
            "full_name": known.full_name,
            "private": known.private,
        }
        for known in repositories
    ]


def installation_event(
    state: GitHubState,
    action: InstallationAction,
    installed: Installation,
    *,
    sender: Account,
    requester: Account | None = None,
) -> Json:
    """Return the body of `installation`."""
    return {
        "action": action,
        "installation": shapes.installation(state, installed),
        "repositories": repository_items(installed.repositories),
        "requester": None if requester is None else shapes.simple_user(state, requester),
        "sender": shapes.simple_user(state, sender),
    }


def installation_repositories_event(
    state: GitHubState,
    installed: Installation,
    *,
    sender: Account,
    added: Sequence[Repository] = (),
    removed: Sequence[Repository] = (),
) -> Json:
    """Return the body of `installation_repositories`."""
    return {
        "action": "added" if added else "removed",
        "installation": shapes.installation(state, installed),
        "repository_selection": installed.repository_selection,
        "repositories_added": repository_items(added),
        "repositories_removed": repository_items(removed),
        "requester": None,
        "sender": shapes.simple_user(state, sender),
    }


def simple_installation(installed: Installation) -> Json:
    """Return the two fields that other events say about an installation."""
    return {"id": installed.id, "node_id": f"MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9u{installed.id}"}


def installation_target_event(
    state: GitHubState, installed: Installation, *, sender: Account, former_login: str
) -> Json:
    """Return the body of `installation_target` for a rename; its account has another shape than elsewhere."""
    account = installed.account
    details = shapes.simple_user(state, account)
    if account.type == "Organization":
        url = shapes.account_url(state, account)
        details |= {
            "url": url,
            "hooks_url": f"{url}/hooks",
            "issues_url": f"{url}/issues",
            "members_url": f"{url}/members{{/member}}",
            "public_members_url": f"{url}/public_members{{/member}}",
        }
    return {
        "action": "renamed",
        "account": details,
        "changes": {"login": {"from": former_login}},
        "installation": simple_installation(installed),
        "target_type": account.type,
        "sender": shapes.simple_user(state, sender),
    }


def ping_event(state: GitHubState, hook: Hook) -> Json:
    """Return the body of `ping`; a listing's hook isn't an App's and says so."""
    body: Json = {
        "type": "App" if hook.name == "app" else "Marketplace::Listing",
        "id": hook.id,
        "name": "web",
        "active": hook.active,
        "events": list(state.app.events) if hook.name == "app" else ["marketplace_purchase"],
        "config": shapes.hook_config(hook),
        "created_at": shapes.rest_time(hook.created_at),
        "updated_at": shapes.rest_time(hook.created_at),
    }
    if hook.name == "app":
        body |= {"app_id": state.app.id, "deliveries_url": f"{state.api_url}/app/hook/deliveries"}
    return {"zen": ZEN, "hook_id": hook.id, "hook": body}


def _marketplace_terms(account: Account, terms: Terms, *, unit_count: int | None = None) -> Json:
    """Return what an account has, or had, in the webhook's shape."""
    plan = terms.plan
    return {
        "account": {
            "type": account.type,
            "id": account.id,
            "node_id": account.node_id,
            "login": account.login,
            "organization_billing_email": account.email if account.type == "Organization" else None,
        },
        "billing_cycle": terms.billing_cycle,
        "unit_count": terms.unit_count if unit_count is None else unit_count,
        "on_free_trial": terms.on_free_trial,
        "free_trial_ends_on": None if terms.free_trial_ends_on is None else webhook_time(terms.free_trial_ends_on),
        "next_billing_date": None if terms.next_billing_date is None else webhook_time(terms.next_billing_date),
        "plan": {
            "id": plan.id,
            "name": plan.name,
            "description": plan.description,
            "monthly_price_in_cents": plan.monthly_price_in_cents,
            "yearly_price_in_cents": plan.yearly_price_in_cents,
            "price_model": plan.price_model,
            "has_free_trial": plan.has_free_trial,
            "unit_name": plan.unit_name,
            "bullets": list(plan.bullets),
        },
    }


def marketplace_event(
    state: GitHubState,
    action: MarketplaceAction,
    account: Account,
    terms: Terms,
    *,
    effective_date: datetime,
    sender: Account,
    previous: Terms | None = None,
) -> Json:
    """Return the body of `marketplace_purchase`.

    It contains no installation, as at GitHub; `cancelled` names the plan that ended, with no units.
    """
    body: Json = {
        "action": action,
        "effective_date": webhook_time(effective_date),
        "sender": {**shapes.simple_user(state, sender), "email": sender.email},
        "marketplace_purchase": _marketplace_terms(account, terms, unit_count=0 if action == "cancelled" else None),
    }
    if previous is not None:
        body["previous_marketplace_purchase"] = _marketplace_terms(account, previous)
    return body


def pending_terms(purchase: Purchase, pending: PendingChange) -> Terms:
    """Return what a purchase will look like once its pending change takes effect; a cancellation keeps the plan."""
    current = purchase.terms
    return Terms(
        plan=current.plan if pending.plan is None else pending.plan,
        unit_count=current.unit_count if pending.plan is None else pending.unit_count,
        billing_cycle=pending.billing_cycle,
        on_free_trial=current.on_free_trial,
        free_trial_ends_on=current.free_trial_ends_on,
        next_billing_date=current.next_billing_date,
    )
