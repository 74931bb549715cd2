"""What the sandbox's server is given: settings that lead to the stand-in only, and what is for sale there."""

import secrets
from pathlib import Path
from typing import Final

from billing.plans import Plan, PlanCatalog
from bot.cli.sandbox_places import LEDGER_SIGNING_KEY, database_url, server_url
from bot.settings import ServerSettings, settings_of
from sandbox.github.model import Plan as ListedPlan
from sandbox.github.world import World

SECRET_BYTES: Final = 32
MONTHS_IN_A_YEAR: Final = 12


def sandbox_settings(github: World, path: Path, *, host: str, port: int, log_level: str) -> ServerSettings:
    """Return the server's settings, none of which come from outside: what is real is not for the sandbox."""
    return settings_of(
        ServerSettings,
        {
            "DATABASE_URL": database_url(path),
            "HOST": host,
            "PORT": str(port),
            "PUBLIC_URL": server_url(host, port),
            "GITHUB_APP_ID": str(github.app_id),
            "GITHUB_CLIENT_ID": github.client_id,
            "GITHUB_CLIENT_SECRET": github.client_secret,
            "GITHUB_PRIVATE_KEY": github.private_key_pem,
            "GITHUB_WEBHOOK_SECRET": github.webhook_secret,
            "GITHUB_MARKETPLACE_WEBHOOK_SECRET": github.marketplace_webhook_secret,
            "GITHUB_API_URL": github.api_url,
            "GITHUB_WEB_URL": github.web_url,
            "GITHUB_MARKETPLACE": "on",
            "SESSION_SECRET": secrets.token_hex(SECRET_BYTES),
            "LEDGER_SIGNING_KEY": LEDGER_SIGNING_KEY,
            "LOG_LEVEL": log_level,
        },
    )


def listing(plans: PlanCatalog) -> list[ListedPlan]:
    """Return what is for sale at the pretended Marketplace: the catalogue's plans, each under its latest number."""
    sold = sorted((plan for plan in plans.plans.values() if plan.marketplace_plan_ids), key=lambda plan: plan.rank)
    return [
        ListedPlan(
            id=plan.marketplace_plan_ids[-1],
            number=number,
            name=plan.name,
            description=_description(plan),
            price_model="FLAT_RATE" if plan.price_cents else "FREE",
            monthly_price_in_cents=plan.price_cents,
            yearly_price_in_cents=plan.price_cents * MONTHS_IN_A_YEAR,
        )
        for number, plan in enumerate(sold, start=1)
    ]


def _description(plan: Plan) -> str:
    """Return what the listing says of a plan."""
    if plan.included_credits:
        return f"{plan.included_credits} credits a month"
    return f"{plan.signup_credits} credits to try it" if plan.signup_credits else "Credits as you need them"
