"""Purchases at GitHub Marketplace: every delivery is a hint to ask GitHub what holds now."""

from gidgethub.routing import Router

from billing.commands import FollowMarketplace, Ignore
from handlers.context import Context, Event
from handlers.payloads import MarketplacePurchase

router = Router()


@router.register("marketplace_purchase", action="purchased")
@router.register("marketplace_purchase", action="changed")
@router.register("marketplace_purchase", action="pending_change")
@router.register("marketplace_purchase", action="pending_change_cancelled")
@router.register("marketplace_purchase", action="cancelled")
async def follow_purchase(event: Event, ctx: Context) -> None:
    """Bring the account's plan to what GitHub says now.

    One function for all five actions: deliveries come late, twice and in any order, so none may be believed by itself.
    """
    purchase = MarketplacePurchase.parse(event.body)
    account = purchase.account
    if account is None:
        await ctx.billing.handle(Ignore(reason="the delivery names no account", cause=event.cause))
        return
    truth = await ctx.github.marketplace_account(account.id)
    await ctx.billing.handle(FollowMarketplace(account=account, truth=truth, hint=purchase.hint, cause=event.cause))
