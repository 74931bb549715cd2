"""`doctor` against the stand-in for GitHub, a real database and a real mail server."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from billing.records import Alarm
from sandbox.clock import VirtualClock
from sandbox.github.keys import new_private_key
from sandbox.github.server import GitHubStandIn
from storage.database import Database
from tests.cli.conftest import settings_for
from tests.cli.running import invoke
from tests.cli.seeding import ACME, Seeding
from tests.cli.server_settings import server_settings

PUBLIC_URL = "http://127.0.0.1:9"


@pytest.fixture
async def github() -> AsyncIterator[GitHubStandIn]:
    async with GitHubStandIn() as stand_in:
        stand_in.state.app.permissions = {"issues": "write", "metadata": "read", "pull_requests": "write"}
        stand_in.state.app.events = ["installation_target", "issue_comment", "pull_request"]
        stand_in.set_hook("app", f"{PUBLIC_URL}/webhooks/github", ping=False)
        yield stand_in


def let_in_by_password(
    _server: SMTP, _session: object, _envelope: object, _mechanism: str, login: object
) -> AuthResult:
    """Let in whoever has the right password."""
    return AuthResult(success=isinstance(login, LoginPassword) and login.password == b"right", handled=False)


@pytest.fixture
async def mail_port() -> AsyncIterator[int]:
    """The port of a mail server on this machine."""

    def conversation() -> SMTP:
        return SMTP(Sink(), hostname="mail.example", authenticator=let_in_by_password, auth_require_tls=False)

    server = await asyncio.get_running_loop().create_server(conversation, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def examined(settings: dict[str, str]) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit code, and the checks by name."""
    ended = await asyncio.to_thread(invoke, "doctor", "--json", settings=settings)
    checks: dict[str, list[dict[str, Any]]] = {}
    for check in json.loads(ended.stdout):
        checks.setdefault(check["check"], []).append(check)
    return ended.code, checks


def verdicts(checks: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """The verdicts by name, those of the settings left out."""
    return {name: found[0]["verdict"] for name, found in checks.items() if not name.startswith("settings.")}


async def test_everything_is_right(github: GitHubStandIn, database_url: str, mail_port: int) -> None:
    settings = {
        **settings_for(database_url),
        **server_settings(github),
        "SMTP_URL": f"smtp://somebody:right@127.0.0.1:{mail_port}",
        "MAIL_FROM": "billing@example.com",
    }

    code, checks = await examined(settings)

    assert code == 0, checks
    assert verdicts(checks) == {
        "plans": "ok",
        "database.schema": "ok",
        "billing": "ok",
        "webhook.github": "warning",
        "webhook.github_marketplace": "warning",
        "alarms": "ok",
        "github.clock": "ok",
        "github.app": "ok",
        "github.permissions": "ok",
        "github.comments": "ok",
        "github.installations": "ok",
        "github.webhook": "ok",
        "github.marketplace": "ok",
        "mail": "ok",
    }


async def test_what_came_in_and_what_wants_a_person_is_told(github: GitHubStandIn, database_url: str) -> None:
    clock = VirtualClock()
    database = Database.connect(database_url, clock=clock)
    await database.open()
    await Seeding(database, clock).install(ACME)
    await database.inbox.note_ping("github_marketplace", clock.now())
    await database.alarms.raise_(Alarm(kind="unknown_plan", subject="plan:4242", detail="Map it in plans.toml."))
    await database.close()

    code, checks = await examined({**settings_for(database_url), **server_settings(github)})

    assert code == 1
    assert checks["webhook.github"][0]["verdict"] == "ok"
    assert checks["webhook.github_marketplace"][0]["text"].endswith("last delivery never")
    assert "plan:4242: Map it in plans.toml." in checks["alarm.unknown_plan"][0]["text"]
    assert "tallyhook alarms ack" in checks["alarm.unknown_plan"][0]["way_out"]


async def test_each_thing_that_is_wrong_at_github_is_told_with_what_to_do(
    github: GitHubStandIn, sqlite_url: str
) -> None:
    github.state.app.permissions = {"issues": "write", "metadata": "read"}
    github.state.app.events = ["pull_request", "issue_comment"]
    github.set_hook("app", "http://127.0.0.1:9/elsewhere", ping=False)
    github.state.plans[1313].id = 1414
    github.state.plans[1414] = github.state.plans.pop(1313)

    code, checks = await examined({**settings_for(sqlite_url), **server_settings(github)})

    assert code == 1
    assert [(check["verdict"], check["text"]) for check in checks["github.permissions"]] == [
        ("failed", "permission pull_requests must be write, and is missing"),
        ("failed", "event installation_target isn't subscribed to"),
    ]
    assert checks["github.webhook"][0]["verdict"] == "failed"
    assert "--set-hook" in checks["github.webhook"][0]["way_out"]
    assert [(check["verdict"], check["text"]) for check in checks["github.marketplace"]] == [
        ("failed", "plan pro is linked to 1313, which the listing doesn't have"),
        ("warning", "the listing's plan 1414 isn't in plans.toml"),
    ]
    assert all(check["way_out"] for found in checks.values() for check in found if check["verdict"] == "failed")


async def test_what_comments_need_is_told_with_the_way_to_ask(github: GitHubStandIn, sqlite_url: str) -> None:
    settings = {**settings_for(sqlite_url), **server_settings(github)}
    for number in range(120):
        github.install(github.add_user(f"user-{number}"))

    code, checks = await examined(settings)
    _, mentions_only = await examined({**settings, "SLASH_COMMANDS": "none"})

    assert code == 0
    assert checks["github.comments"][0]["text"].endswith(": /credits and @tallyhook-sandbox credits")
    assert mentions_only["github.comments"][0]["text"].endswith(": @tallyhook-sandbox credits")
    assert checks["github.installations"][0]["text"].startswith("120 installations")

    for login in ("user-7", "user-110"):
        installed = github.state.installation_of(github.state.account(login))
        assert installed is not None
        installed.permissions["issues"] = "read"
    code, checks = await examined(settings)

    assert code == 0
    assert checks["github.installations"][0]["verdict"] == "warning"
    assert "2 of 120" in checks["github.installations"][0]["text"]
    assert "user-7" in checks["github.installations"][0]["text"]


async def test_an_app_that_hears_no_comments_is_told(github: GitHubStandIn, sqlite_url: str) -> None:
    github.state.app.permissions = {"issues": "read", "metadata": "read"}
    github.state.app.events = ["installation_target", "pull_request"]

    code, checks = await examined({**settings_for(sqlite_url), **server_settings(github)})

    assert code == 1
    assert [check["text"] for check in checks["github.comments"]] == [
        "comments can't be answered: permission issues must be write, and is read",
        "comments can't be answered: permission pull_requests must be write, and is missing",
        "comments can't be answered: event issue_comment isn't subscribed to",
    ]
    assert all(
        "/settings/apps/tallyhook-sandbox/permissions" in check["way_out"] for check in checks["github.comments"]
    )
    assert "github.installations" not in checks


async def test_installations_that_cannot_be_listed_are_told(github: GitHubStandIn, sqlite_url: str) -> None:
    github.faults.fail(500, path="/app/installations", times=None)

    _, checks = await examined({**settings_for(sqlite_url), **server_settings(github)})

    assert checks["github.installations"][0]["verdict"] == "failed"


async def test_somebody_elses_webhook_is_fine_if_its_deliveries_get_here(
    github: GitHubStandIn, sqlite_url: str
) -> None:
    clock = VirtualClock()
    database = Database.connect(sqlite_url, clock=clock)
    await database.open()
    await Seeding(database, clock).install(ACME)
    await database.close()
    github.set_hook("app", "http://127.0.0.1:9/the-vendors-own-app", ping=False)

    code, checks = await examined({**settings_for(sqlite_url), **server_settings(github)})

    assert code == 0
    assert checks["github.webhook"][0]["verdict"] == "warning"
    assert "raw deliveries" in checks["github.webhook"][0]["way_out"]


async def test_a_foreign_key_and_a_foreign_id_are_told(github: GitHubStandIn, sqlite_url: str) -> None:
    settings = {**settings_for(sqlite_url), **server_settings(github)}

    _, with_foreign_key = await examined({**settings, "GITHUB_PRIVATE_KEY": new_private_key()})
    _, with_foreign_id = await examined({**settings, "GITHUB_APP_ID": "7"})

    assert "GitHub refuses the App's token (401" in with_foreign_key["github.app"][0]["text"]
    assert with_foreign_id["github.app"][0]["text"] == f"the key belongs to App {github.app_id}, GITHUB_APP_ID is 7"
    assert {found["github.app"][0]["verdict"] for found in (with_foreign_key, with_foreign_id)} == {"failed"}


@pytest.mark.parametrize("minutes", [-3, 3])
async def test_a_clock_that_is_off_is_told(sqlite_url: str, minutes: int) -> None:
    now = datetime.now(UTC)  # noqa: TID251 -- the program under test has the machine's clock
    async with GitHubStandIn(VirtualClock(now + timedelta(minutes=minutes))) as github:
        code, checks = await examined({**settings_for(sqlite_url), **server_settings(github)})

    assert code == 1
    assert checks["github.clock"][0]["verdict"] == "failed"
    assert ("behind" if minutes > 0 else "ahead of") in checks["github.clock"][0]["text"]


async def test_without_a_listing_or_a_network_it_says_so(github: GitHubStandIn, sqlite_url: str) -> None:
    settings = {**settings_for(sqlite_url), **server_settings(github)}
    github.faults.fail(404, path="/marketplace_listing/*", times=None)

    _, unlisted = await examined(settings)
    _, without = await examined({**settings, "GITHUB_MARKETPLACE": "off"})
    _, away = await examined({**settings, "GITHUB_API_URL": "http://127.0.0.1:9"})

    assert "GITHUB_MARKETPLACE=off" in unlisted["github.marketplace"][0]["way_out"]
    assert without["github.marketplace"][0]["verdict"] == "skipped"
    assert "webhook.github_marketplace" not in without
    assert "can't be asked" in away["github.app"][0]["text"]


async def test_a_mail_server_that_says_no_is_told_without_the_password(
    github: GitHubStandIn, sqlite_url: str, mail_port: int
) -> None:
    settings = {**settings_for(sqlite_url), **server_settings(github), "MAIL_FROM": "billing@example.com"}

    _, refused = await examined({**settings, "SMTP_URL": f"smtp://somebody:wrong-password@127.0.0.1:{mail_port}"})
    _, absent = await examined({**settings, "SMTP_URL": "smtp://127.0.0.1:9"})

    assert "refuses our name (535)" in refused["mail"][0]["text"]
    assert "wrong-password" not in json.dumps(refused)
    assert absent["mail"][0]["verdict"] == "failed"


async def test_what_comes_after_a_failure_is_left_out_and_told(github: GitHubStandIn, sqlite_url: str) -> None:
    settings = {**settings_for(sqlite_url), **server_settings(github)}

    _, no_plans = await examined({**settings, "PLANS_FILE": "absent.toml"})
    _, no_tables = await examined({**settings, "DATABASE_URL": "sqlite:///var/none.db"})
    _, away = await examined({**settings, "DATABASE_URL": "postgresql://nobody:hidden-word@127.0.0.1:9/none"})
    _, no_secret = await examined({**settings, "SESSION_SECRET": ""})
    _, no_database = await examined({**settings, "DATABASE_URL": "mysql://host/name"})

    assert (verdicts(no_plans)["plans"], verdicts(no_plans)["github.marketplace"]) == ("failed", "skipped")
    assert verdicts(no_tables)["database.schema"] == "failed"
    assert no_tables["database.schema"][0]["way_out"] == "Run `tallyhook migrate`."
    assert verdicts(no_tables)["database.content"] == "skipped"
    assert "The database can't be used" in away["database.schema"][0]["text"]
    assert "hidden-word" not in json.dumps(away)
    assert verdicts(no_secret)["github"] == "skipped"
    assert no_database["settings.DATABASE_URL"][0]["verdict"] == "failed"
    assert verdicts(no_database) == {"database": "skipped"}
