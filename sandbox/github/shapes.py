"""The JSON of GitHub's REST API. Shapes follow GitHub's OpenAPI description."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from sandbox.github.model import Account, Hook, HookDelivery, Installation, PendingChange, Plan, Purchase
from sandbox.github.state import BOT, GitHubState

Json = dict[str, Any]


def rest_time(moment: datetime) -> str:
    """Write a time as most of the REST API does: whole seconds, `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def account_url(state: GitHubState, account: Account) -> str:
    """Return an account's address at the API."""
    return f"{state.api_url}/{'orgs' if account.type == 'Organization' else 'users'}/{account.login}"


def simple_user(state: GitHubState, account: Account) -> Json:
    """Return the short form of a user or organization that many answers contain."""
    base = f"{state.api_url}/users/{quote(account.login)}"
    page = f"apps/{account.login.removesuffix(BOT)}" if account.type == "Bot" else account.login
    return {
        "login": account.login,
        "id": account.id,
        "node_id": account.node_id,
        "avatar_url": f"{state.web_url}/avatars/u/{account.id}?v=4",
        "gravatar_id": "",
        "url": base,
        "html_url": f"{state.web_url}/{page}",
        "followers_url": f"{base}/followers",
        "following_url": f"{base}/following{{/other_user}}",
        "gists_url": f"{base}/gists{{/gist_id}}",
        "starred_url": f"{base}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{base}/subscriptions",
        "organizations_url": f"{base}/orgs",
        "repos_url": f"{base}/repos",
        "events_url": f"{base}/events{{/privacy}}",
        "received_events_url": f"{base}/received_events",
        "type": account.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def public_user(state: GitHubState, account: Account) -> Json:
    """Return a profile. Addresses are hidden, as most people's are."""
    return {
        **simple_user(state, account),
        "name": None,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "twitter_username": None,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": rest_time(account.created_at),
        "updated_at": rest_time(account.created_at),
    }


def application(state: GitHubState) -> Json:
    """Return the App."""
    app = state.app
    return {
        "id": app.id,
        "client_id": app.client_id,
        "slug": app.slug,
        "node_id": f"A_kw{app.id}",
        "owner": simple_user(state, app.owner),
        "name": app.name,
        "description": app.description,
        "external_url": app.external_url,
        "html_url": f"{state.web_url}/apps/{app.slug}",
        "created_at": rest_time(app.created_at),
        "updated_at": rest_time(app.updated_at),
        "permissions": app.permissions,
        "events": app.events,
        "installations_count": len(state.live_installations()),
    }


def hook_config(hook: Hook) -> Json:
    """Return a hook's settings; the secret is never shown."""
    config: Json = {"content_type": hook.content_type, "insecure_ssl": hook.insecure_ssl}
    if hook.url is not None:
        config["url"] = hook.url
    if hook.secret is not None:
        config["secret"] = "********"  # noqa: S105 -- GitHub's own mask
    return config


def delivery_item(delivery: HookDelivery) -> Json:
    """Return one line of the delivery log."""
    return {
        "id": delivery.id,
        "guid": delivery.event.guid,
        "delivered_at": rest_time(delivery.delivered_at),
        "redelivery": delivery.redelivery,
        "duration": round(delivery.duration_seconds, 2),
        "status": delivery.status,
        "status_code": delivery.status_code,
        "event": delivery.event.name,
        "action": delivery.event.action,
        "installation_id": delivery.event.installation_id,
        "repository_id": delivery.event.repository_id,
        "throttled_at": None,
    }


def delivery_detail(delivery: HookDelivery) -> Json:
    """Return one attempt with what was sent and what came back."""
    return {
        **delivery_item(delivery),
        "url": delivery.url,
        "request": {"headers": delivery.request_headers, "payload": delivery.event.payload},
        "response": {"headers": delivery.response_headers, "payload": delivery.response_body},
    }


def installation(state: GitHubState, installed: Installation) -> Json:
    """Return an installation."""
    account, app = installed.account, state.app
    settings = f"organizations/{account.login}/settings" if account.type == "Organization" else "settings"
    return {
        "id": installed.id,
        "client_id": app.client_id,
        "account": simple_user(state, account),
        "repository_selection": installed.repository_selection,
        "access_tokens_url": f"{state.api_url}/app/installations/{installed.id}/access_tokens",
        "repositories_url": f"{state.api_url}/installation/repositories",
        "html_url": f"{state.web_url}/{settings}/installations/{installed.id}",
        "app_id": app.id,
        "app_slug": app.slug,
        "target_id": account.id,
        "target_type": account.type,
        "permissions": installed.permissions,
        "events": installed.events,
        "created_at": rest_time(installed.created_at),
        "updated_at": rest_time(installed.updated_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None if installed.suspended_by is None else simple_user(state, installed.suspended_by),
        "suspended_at": None if installed.suspended_at is None else rest_time(installed.suspended_at),
    }


def plan(state: GitHubState, offered: Plan) -> Json:
    """Return a plan of the listing."""
    url = f"{state.api_url}/marketplace_listing/plans/{offered.id}"
    return {
        "url": url,
        "accounts_url": f"{url}/accounts",
        "id": offered.id,
        "number": offered.number,
        "name": offered.name,
        "description": offered.description,
        "monthly_price_in_cents": offered.monthly_price_in_cents,
        "yearly_price_in_cents": offered.yearly_price_in_cents,
        "price_model": offered.price_model,
        "has_free_trial": offered.has_free_trial,
        "unit_name": offered.unit_name,
        "state": offered.state,
        "bullets": list(offered.bullets),
    }


def _pending_change(state: GitHubState, pending: PendingChange, *, current: Plan, installed: bool) -> Json:
    """Return a scheduled change. It names no billing cycle; a cancellation shows the plan that ends, with no units."""
    return {
        "id": pending.id,
        "effective_date": rest_time(pending.effective_date),
        "unit_count": 0 if pending.plan is None else pending.unit_count,
        "is_installed": installed,
        "plan": plan(state, current if pending.plan is None else pending.plan),
    }


def purchase(state: GitHubState, bought: Purchase) -> Json:
    """Return an account with what it has bought on the listing."""
    account, terms = bought.account, bought.terms
    installed = state.installation_of(account) is not None
    body: Json = {
        "url": account_url(state, account),
        "type": account.type,
        "id": account.id,
        "login": account.login,
        "marketplace_pending_change": None
        if bought.pending is None
        else _pending_change(state, bought.pending, current=terms.plan, installed=installed),
        "marketplace_purchase": {
            "billing_cycle": terms.billing_cycle,
            "next_billing_date": None if terms.next_billing_date is None else rest_time(terms.next_billing_date),
            "is_installed": installed,
            "unit_count": terms.unit_count,
            "on_free_trial": terms.on_free_trial,
            # This one field has milliseconds at GitHub.
            "free_trial_ends_on": None
            if terms.free_trial_ends_on is None
            else terms.free_trial_ends_on.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "updated_at": rest_time(bought.updated_at),
            "plan": plan(state, terms.plan),
        },
    }
    if account.type == "Organization":
        if account.email is not None:
            body["organization_billing_email"] = account.email
    else:
        body["email"] = account.email
    return body
