"""What `doctor` asks of the database: that it is there, has this version's tables, and what lies in it for a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from billing.errors import BillingError
from billing.ports import Clock
from bot.cli.checks import Check, failed, ok, warning
from bot.cli.failures import CommandError
from bot.cli.output import readable_time
from bot.cli.reaching import database_url, reaching_the_database
from bot.settings import CommandSettings
from storage import migrating
from storage.database import Database
from storage.deliveries import Ping
from storage.flags import Flag, FlagRow

ROUTES: Final[Mapping[str, str]] = {
    "github": "the App's webhook",
    "github_marketplace": "the Marketplace listing's webhook",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFindings:
    """What was found, and the routes on which deliveries have come in."""

    checks: tuple[Check, ...]
    routes_in_use: frozenset[str] = field(default_factory=frozenset)


def check_schema(settings: CommandSettings) -> Check:
    """Return whether the database is there and has this version's tables. Asking makes no file."""
    try:
        with reaching_the_database():
            status = migrating.status(database_url(settings))
    except CommandError as error:
        return failed("database.schema", error.what, error.way_out)
    except BillingError as error:
        return failed("database.schema", str(error), "Correct DATABASE_URL.")
    if status.is_current:
        return ok("database.schema", f"revision {status.current}")
    way_out = "Run the version that made them." if status.is_newer else "Run `tallyhook migrate`."
    return failed("database.schema", f"revision {status.current or 'base'}, this version needs {status.head}", way_out)


async def check_content(settings: CommandSettings, *, has_marketplace: bool, clock: Clock) -> DatabaseFindings:
    """Return whether billing is on, which webhooks are alive, and which alarms are open."""
    database = Database.connect(database_url(settings), clock=clock)
    await database.open()
    try:
        pings = await database.inbox.pings()
        alarms = await database.alarms.list()
        flags = {row.flag: row for row in await database.flags.list()}
    finally:
        await database.close()
    routes = [route for route in ROUTES if has_marketplace or route != "github_marketplace"]
    open_alarms = [
        failed(
            f"alarm.{alarm.kind}", f"{alarm.subject}: {alarm.detail}", "Then run `tallyhook alarms ack KIND SUBJECT`."
        )
        for alarm in alarms
    ]
    return DatabaseFindings(
        checks=(
            _of_the_kill_switch(flags[Flag.BILLING_ENABLED], settings),
            *(_of_route(route, pings.get(route)) for route in routes),
            *(open_alarms or [ok("alarms", "none is open")]),
        ),
        routes_in_use=frozenset(route for route, ping in pings.items() if ping.last_event_at is not None),
    )


def _of_the_kill_switch(flag: FlagRow, settings: CommandSettings) -> Check:
    """Return whether billing is on. Off may be meant, and must never be overlooked."""
    off_by = [] if settings.billing_enabled else ["the setting BILLING_ENABLED"]
    way_out = "Set BILLING_ENABLED=true, and restart."
    if not flag.is_on:
        off_by.append(f"the flag billing_enabled ({flag.set_by or 'nobody knows who'}, {readable_time(flag.set_at)})")
        way_out = "Run `tallyhook flags set billing_enabled on` once it may go on."
    if not off_by:
        return ok("billing", "on")
    text = f"OFF by {' and '.join(off_by)}: nothing is charged, and what the credits don't cover is waived"
    return warning("billing", text, way_out)


def _of_route(route: str, ping: Ping | None) -> Check:
    """Return when something last came in. A hook without events looks like one that is set up wrong."""
    name = f"webhook.{route}"
    if ping is None or (ping.at is None and ping.last_event_at is None):
        way_out = (
            "Set it on the listing's page, under Webhook; GitHub sends a ping at once."
            if route == "github_marketplace"
            else "Start the server, and redeliver the ping on the App's page, under Advanced."
        )
        return warning(name, f"nothing has come in from {ROUTES[route]} yet", way_out)
    last = readable_time(ping.last_event_at, never="never")
    return ok(name, f"last ping {readable_time(ping.at, never='never')}, last delivery {last}")
