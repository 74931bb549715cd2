"""The App on an account: installed, changed, suspended, removed, and the account renamed."""

from gidgethub.routing import Router

from billing.commands import Command, FollowInstallation, Ignore, RenameAccount
from handlers.context import Context, Event
from handlers.payloads import InstallationChange

router = Router()

NO_INSTALLATION = "the delivery names no installation"
NO_ACCOUNT = "neither the delivery nor GitHub names a user or an organization for the installation"


@router.register("installation", action="created")
@router.register("installation", action="deleted")
@router.register("installation", action="suspend")
@router.register("installation", action="unsuspend")
@router.register("installation", action="new_permissions_accepted")
@router.register("installation_repositories", action="added")
@router.register("installation_repositories", action="removed")
async def follow_installation(event: Event, ctx: Context) -> None:
    """Bring the installation to what GitHub says now."""
    change = InstallationChange.parse(event.body)
    await ctx.billing.handle(await _observed(change, event, ctx) or Ignore(reason=NO_INSTALLATION, cause=event.cause))


@router.register("installation_target", action="renamed")
async def rename_account(event: Event, ctx: Context) -> None:
    """Take over the new login. GitHub is asked for it, as a further rename may have overtaken the delivery."""
    change = InstallationChange.parse(event.body)
    command = await _observed(change, event, ctx)
    if command is None and change.known_account is not None:
        command = RenameAccount(account=change.known_account, cause=event.cause)
    await ctx.billing.handle(command or Ignore(reason=NO_INSTALLATION, cause=event.cause))


async def _observed(change: InstallationChange, event: Event, ctx: Context) -> Command | None:
    """Ask GitHub for the delivery's installation; None if it names none."""
    if change.installation_id is None:
        return None
    truth = await ctx.github.installation(change.installation_id)
    account = change.known_account if truth is None or truth.account is None else truth.account
    if account is None:
        return Ignore(reason=NO_ACCOUNT, cause=event.cause)
    return FollowInstallation(
        account=account,
        installation_id=change.installation_id,
        truth=truth,
        installer_id=change.sender_id if (event.event, change.action) == ("installation", "created") else None,
        cause=event.cause,
        action=change.action or "",
    )
