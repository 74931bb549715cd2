"""`setup` from the empty directory to a settings file that the server takes, against the stand-in for GitHub."""

import asyncio
import base64
import html
import json
import re
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from bot.settings import ServerSettings, read_settings_file, settings_of
from sandbox.github.keys import new_private_key
from sandbox.github.rest_faults import RestFault
from sandbox.github.server import GitHubStandIn
from tests.cli.running import Ended, Program, invoke, start

PUBLIC_URL = "http://127.0.0.1:9"


@pytest.fixture
async def github() -> AsyncIterator[GitHubStandIn]:
    async with GitHubStandIn() as stand_in:
        yield stand_in


def at(github: GitHubStandIn) -> dict[str, str]:
    """The settings that lead to the stand-in."""
    return {"GITHUB_WEB_URL": github.web_url, "GITHUB_API_URL": github.api_url}


async def start_setup(github: GitHubStandIn, directory: Path, *options: str) -> tuple[Program, str]:
    program = await start(
        "setup", "--public-url", PUBLIC_URL, "--no-browser", *options, directory=directory, settings=at(github)
    )
    line = await program.line_with("Open this address")
    return program, line.rpartition(" ")[2]


async def confirm_at_github(page: str) -> str:
    """Do what the browser and the person do, and return the last page."""
    async with aiohttp.ClientSession() as browser:
        text = await (await browser.get(page)).text()
        action = re.search(r'action="([^"]+)"', text)
        manifest = re.search(r'name="manifest" value="([^"]+)"', text)
        assert action is not None
        assert manifest is not None
        answer = await browser.post(html.unescape(action[1]), data={"manifest": html.unescape(manifest[1])})
        return await answer.text()


async def here(*arguments: str, settings: Mapping[str, str] | None = None) -> Ended:
    """Run the program in this process, beside the stand-in."""
    return await asyncio.to_thread(invoke, *arguments, settings=settings)


def adopt(github: GitHubStandIn, directory: Path, *options: str) -> tuple[str, ...]:
    key = directory / "app.pem"
    key.write_text(github.private_key_pem)
    return (
        "setup",
        "--existing",
        *("--public-url", PUBLIC_URL, "--app-id", str(github.app_id), "--client-id", github.client_id),
        *("--client-secret", github.client_secret, "--private-key", str(key)),
        *options,
    )


async def test_a_new_app_is_registered_and_its_settings_are_right(github: GitHubStandIn, tmp_path: Path) -> None:
    program, page = await start_setup(github, tmp_path, "--json", "--name", "Acme Credits")

    last_page = await confirm_at_github(page)
    ended = await program.end()

    assert "The App is registered" in last_page
    assert (ended.code, ended.stderr.count("\n")) == (0, 1)
    told = json.loads(ended.stdout)
    settings = settings_of(ServerSettings, read_settings_file(tmp_path / ".env"))
    assert (told["app_id"], told["slug"], told["hook_was_set"]) == (github.app_id, "acme-credits", False)
    assert settings.github_app_id == github.app_id
    assert settings.github_private_key.get_secret_value().strip() == github.private_key_pem.strip()
    assert [each.get_secret_value() for each in settings.github_webhook_secret] == [github.webhook_secret]
    assert (settings.public_url, settings.github_api_url) == (PUBLIC_URL, github.api_url)
    assert github.target_url == f"{PUBLIC_URL}/webhooks/github"
    assert github.state.app.permissions == {"issues": "write", "metadata": "read", "pull_requests": "write"}
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


async def test_no_secret_is_printed(github: GitHubStandIn, tmp_path: Path) -> None:
    program, page = await start_setup(github, tmp_path)
    await confirm_at_github(page)
    ended = await program.end()

    values = read_settings_file(tmp_path / ".env")
    for name in ("client_secret", "private_key", "webhook_secret", "marketplace_webhook_secret"):
        assert values[f"github_{name}"] not in ended.stdout + ended.stderr
    assert values["session_secret"] not in ended.stdout + ended.stderr
    assert len(base64.b64decode(values["ledger_signing_key"])) == 32
    assert values["ledger_signing_key"] not in ended.stdout + ended.stderr
    assert f"{PUBLIC_URL}/webhooks/github/marketplace" in ended.stdout


async def test_the_page_answers_to_its_own_name_and_its_own_state_once(github: GitHubStandIn, tmp_path: Path) -> None:
    program, page = await start_setup(github, tmp_path)

    async with aiohttp.ClientSession() as browser:
        foreign = await browser.get(page, headers={"Host": "rebound.example"})
        forged = await browser.get(f"{page}created", params={"code": "1", "state": "guessed"})
        empty = await browser.get(f"{page}created")
        csp = (await browser.get(page)).headers["Content-Security-Policy"]
    last_page = await confirm_at_github(page)
    ended = await program.end()

    assert (foreign.status, forged.status, empty.status) == (421, 400, 400)
    assert csp == f"default-src 'none'; style-src 'unsafe-inline'; form-action {github.web_url}"
    assert "The App is registered" in last_page
    assert ended.code == 0


async def test_a_lost_answer_is_asked_for_again(github: GitHubStandIn, tmp_path: Path) -> None:
    github.faults.rules.append(RestFault(kind="status", method="POST", path="/app-manifests/*", times=1, status=502))
    program, page = await start_setup(github, tmp_path)

    await confirm_at_github(page)

    assert (await program.end()).code == 0
    assert read_settings_file(tmp_path / ".env")["github_app_id"] == str(github.app_id)


async def test_a_code_that_github_refuses_leaves_no_file(github: GitHubStandIn, tmp_path: Path) -> None:
    github.faults.rules.append(RestFault(kind="status", method="POST", path="/app-manifests/*", times=1, status=404))
    program, page = await start_setup(github, tmp_path)

    last_page = await confirm_at_github(page)
    ended = await program.end()

    assert "That failed" in last_page
    assert ended.code == 1
    assert "GitHub refused the code (404" in ended.stderr
    assert "tallyhook setup --existing" in ended.stderr
    assert not (tmp_path / ".env").exists()


async def test_an_organization_owns_the_app(github: GitHubStandIn, tmp_path: Path) -> None:
    github.add_organization("acme")
    program, page = await start_setup(github, tmp_path, "--organization", "acme")

    await confirm_at_github(page)

    assert (await program.end()).code == 0
    assert github.state.app.owner.login == "acme"


async def test_standing_values_are_settled_before_the_browser_goes_to_github(
    github: GitHubStandIn, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("# ours\nGITHUB_APP_ID=77\nSMTP_URL=smtp://mail.example\nGITHUB_CLIENT_ID=<id>\n")

    refused = await here("setup", "--public-url", PUBLIC_URL, "--no-browser", settings=at(github))
    program, page = await start_setup(github, tmp_path, "--replace", "--json")
    await confirm_at_github(page)
    ended = await program.end()

    assert refused.code == 2
    assert "GITHUB_APP_ID stands in the file" in refused.stderr
    assert "--replace" in refused.stderr
    text = (tmp_path / ".env").read_text()
    assert text.startswith(f"# ours\nGITHUB_APP_ID={github.app_id}\nSMTP_URL=smtp://mail.example\nGITHUB_CLIENT_ID=Iv")
    backup = Path(json.loads(ended.stdout)["backup"])
    assert "GITHUB_APP_ID=77" in backup.read_text()
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--public-url"),
        (("--public-url", "https://billing.example.com/app"), "no path"),
        (("--public-url", "http://billing.example.com"), "https://"),
    ],
)
async def test_a_missing_or_wrong_address_is_told_with_its_option(options: tuple[str, ...], words: str) -> None:
    ended = await here("setup", *options)

    assert ended.code == 2
    assert words in ended.stderr
    assert "--public-url" in ended.stderr


async def test_an_existing_app_is_adopted_and_its_webhook_set(github: GitHubStandIn, tmp_path: Path) -> None:
    github.state.app.events = ["installation_target", "issue_comment", "pull_request", "push"]
    ended = await here(*adopt(github, tmp_path, "--set-hook", "--json"), settings=at(github))

    assert ended.code == 0
    told = json.loads(ended.stdout)
    settings = settings_of(ServerSettings, read_settings_file(tmp_path / ".env"))
    assert (told["hook_was_set"], told["differences"]) == (True, [])
    assert [each.get_secret_value() for each in settings.github_webhook_secret] == [github.webhook_secret]
    assert github.target_url == f"{PUBLIC_URL}/webhooks/github"


async def test_adopting_twice_changes_nothing(github: GitHubStandIn, tmp_path: Path) -> None:
    await here(*adopt(github, tmp_path, "--set-hook"), settings=at(github))
    first = (tmp_path / ".env").read_text()

    again = await here(*adopt(github, tmp_path, "--set-hook", "--json"), settings=at(github))

    assert again.code == 0
    assert json.loads(again.stdout)["written"] == []
    assert (tmp_path / ".env").read_text() == first


async def test_a_webhook_that_is_kept_needs_its_secret(github: GitHubStandIn, tmp_path: Path) -> None:
    before = (github.target_url, github.webhook_secret)

    unknown = await here(*adopt(github, tmp_path, "--keep-hook"), settings=at(github))
    (tmp_path / ".env").write_text(f"GITHUB_WEBHOOK_SECRET={'k' * 40}\n")
    known = await here(*adopt(github, tmp_path, "--keep-hook"), settings=at(github))

    assert (unknown.code, known.code) == (1, 0)
    assert "--set-hook" in unknown.stderr
    assert (github.target_url, github.webhook_secret) == before


async def test_an_app_of_another_key_or_id_is_not_adopted(github: GitHubStandIn, tmp_path: Path) -> None:
    async with GitHubStandIn(private_key_pem=new_private_key()) as other:
        arguments = adopt(github, tmp_path, "--set-hook")
        stranger = await here(*arguments, settings=at(other))
    mistyped = await here(*arguments, "--app-id", "987654", settings=at(github))

    assert (stranger.code, mistyped.code) == (1, 1)
    assert "GitHub doesn't accept the App's credentials (401" in stranger.stderr
    assert f"The credentials belong to App {github.app_id}, not to 987654." in mistyped.stderr
    assert not (tmp_path / ".env").exists()


async def test_what_an_adopted_app_lacks_is_told(github: GitHubStandIn, tmp_path: Path) -> None:
    github.state.app.permissions = {"metadata": "write", "issues": "read"}
    github.state.app.events = ["pull_request"]

    ended = await here(*adopt(github, tmp_path, "--set-hook", "--json"), settings=at(github))

    assert json.loads(ended.stdout)["differences"] == [
        "permission issues must be write, and is read",
        "permission pull_requests must be write, and is missing",
        "event installation_target isn't subscribed to",
        "event issue_comment isn't subscribed to",
    ]


async def test_what_github_does_not_take_or_tell_is_told(github: GitHubStandIn, tmp_path: Path) -> None:
    github.faults.fail(502, path="/app/hook/config", method="PATCH", times=None)
    untaken = await here(*adopt(github, tmp_path, "--set-hook"), settings=at(github))
    github.faults.clear()
    github.faults.fail(404, path="/app/hook/config", times=None)
    untold = await here(*adopt(github, tmp_path), settings=at(github))
    away = await here(*adopt(github, tmp_path), settings={**at(github), "GITHUB_API_URL": "http://127.0.0.1:9"})

    assert [ended.code for ended in (untaken, untold, away)] == [1, 1, 1]
    assert "The settings are written, but GitHub didn't take the webhook" in untaken.stderr
    assert "Run the same command again." in untaken.stderr
    assert "GitHub doesn't tell the App's webhook (404" in untold.stderr
    assert "GitHub doesn't answer" in away.stderr


async def test_without_a_terminal_the_webhook_needs_an_option(github: GitHubStandIn, tmp_path: Path) -> None:
    ended = await here(*adopt(github, tmp_path), settings=at(github))

    assert ended.code == 2
    assert f"Point it to {PUBLIC_URL}/webhooks/github" in ended.stderr
    assert "--set-hook, or no by --keep-hook" in ended.stderr
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--app-id", "seven", "GITHUB_APP_ID must be a number."),
        ("--client-id", "a b", "GITHUB_CLIENT_ID must be the App's client id"),
        ("--client-secret", "short", "GITHUB_CLIENT_SECRET has 5 characters and needs at least 20."),
        ("--private-key", "app.yml", "GITHUB_PRIVATE_KEY"),
        ("--github-api-url", "ftp://x", "GITHUB_API_URL must be an address"),
    ],
)
async def test_a_wrong_value_is_told_with_its_setting(
    github: GitHubStandIn, tmp_path: Path, option: str, value: str, words: str
) -> None:
    ended = await here(*adopt(github, tmp_path), option, value, settings=at(github))

    assert ended.code == 2
    assert words in ended.stderr


async def test_a_private_key_that_stands_there_as_a_path_stays_one(github: GitHubStandIn, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GITHUB_PRIVATE_KEY=app.pem\n")

    ended = await here(*adopt(github, tmp_path, "--set-hook", "--json"), settings=at(github))

    assert ended.code == 0
    assert "GITHUB_PRIVATE_KEY" not in json.loads(ended.stdout)["written"]
    assert (tmp_path / ".env").read_text().startswith("GITHUB_PRIVATE_KEY=app.pem\n")
