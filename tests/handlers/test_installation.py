"""Installation deliveries become one command each; the installation is asked of GitHub wherever it can be."""

import json
from typing import Any

import pytest

from billing.commands import FollowInstallation, GitHubAccount, Ignore, InstallationTruth, RenameAccount
from billing.values import GitHubAccountId, InstallationId
from handlers.installation import NO_ACCOUNT, NO_INSTALLATION
from tests.handlers.golden import golden
from tests.handlers.surroundings import CAUSE, AnsweringGitHub, commands_of, event_of

DELIVERIES = [
    ("installation", "created"),
    ("installation", "deleted"),
    ("installation", "suspend"),
    ("installation", "unsuspend"),
    ("installation", "new_permissions_accepted"),
    ("installation_repositories", "added"),
    ("installation_repositories", "removed"),
    ("installation_target", "renamed"),
]


def an_installation(
    installation_id: int, *, account: GitHubAccount | None, suspended: bool = False
) -> InstallationTruth:
    return InstallationTruth(
        installation_id=InstallationId(installation_id),
        account=account,
        suspended=suspended,
        repository_selection="all",
    )


@pytest.mark.parametrize("variant", ["full", "bare"])
@pytest.mark.parametrize(("event", "action"), DELIVERIES)
async def test_each_action_follows_what_github_says(event: str, action: str, variant: str) -> None:
    delivery = golden(event, action, variant=variant)
    number = delivery.payload["installation"]["id"]
    account = GitHubAccount(id=GitHubAccountId(4242), login="new-name", type="Organization")
    truth = an_installation(number, account=account)
    github = AnsweringGitHub(installations={number: truth})

    commands = await commands_of(event_of(delivery), github)

    installer = delivery.payload["sender"]["id"] if (event, action) == ("installation", "created") else None
    assert commands == [
        FollowInstallation(
            account=account,
            installation_id=InstallationId(number),
            truth=truth,
            installer_id=installer,
            cause=CAUSE,
            action=action,
        )
    ]
    assert github.asked == [number]


@pytest.mark.parametrize(("event", "action"), DELIVERIES)
async def test_the_delivery_names_the_account_of_an_installation_that_is_gone(event: str, action: str) -> None:
    delivery = golden(event, action)
    [command] = await commands_of(event_of(delivery))
    named = (
        delivery.payload["account"] if event == "installation_target" else delivery.payload["installation"]["account"]
    )
    assert isinstance(command, FollowInstallation)
    assert command.truth is None
    assert command.account == GitHubAccount(id=named["id"], login="octo-org", type="Organization")


async def test_the_delivery_names_the_account_where_github_does_not() -> None:
    delivery = golden("installation", "created")
    number, account = delivery.payload["installation"]["id"], delivery.payload["installation"]["account"]
    github = AnsweringGitHub(installations={number: an_installation(number, account=None)})
    [command] = await commands_of(event_of(delivery), github)
    assert isinstance(command, FollowInstallation)
    assert command.account.id == account["id"]


async def test_an_account_that_is_null_is_asked_of_github() -> None:
    delivery = golden("installation", "created")
    payload = json.loads(delivery.body)
    payload["installation"]["account"] = None
    number = payload["installation"]["id"]
    account = GitHubAccount(id=GitHubAccountId(4242), login="octo", type="User")
    github = AnsweringGitHub(installations={number: an_installation(number, account=account)})
    [command] = await commands_of(event_of(delivery, body=json.dumps(payload).encode()), github)
    assert isinstance(command, FollowInstallation)
    assert command.account == account


@pytest.mark.parametrize(
    "account",
    [
        None,
        {},
        {"id": 9, "slug": "acme", "name": "Acme"},
        {"id": 9, "type": "Enterprise", "login": "acme"},
    ],
)
async def test_an_installation_of_nobody_who_can_be_a_customer_is_ignored(account: Any) -> None:
    delivery = golden("installation", "created")
    payload = json.loads(delivery.body)
    payload["installation"]["account"] = account
    payload["installation"].pop("target_type")
    commands = await commands_of(event_of(delivery, body=json.dumps(payload).encode()))
    assert commands == [Ignore(reason=NO_ACCOUNT, cause=CAUSE)]


async def test_an_enterprise_by_its_target_type_is_no_account() -> None:
    delivery = golden("installation", "created")
    payload = json.loads(delivery.body)
    payload["installation"] |= {"account": {"id": 9}, "target_type": "Enterprise"}
    commands = await commands_of(event_of(delivery, body=json.dumps(payload).encode()))
    assert commands == [Ignore(reason=NO_ACCOUNT, cause=CAUSE)]


@pytest.mark.parametrize("installation", [None, {}, {"id": None}, {"id": "5"}, {"id": 0}, [], 7])
@pytest.mark.parametrize(("event", "action"), DELIVERIES[:-1])
async def test_a_delivery_without_an_installation_is_ignored_with_the_reason(
    event: str, action: str, installation: Any
) -> None:
    delivery = golden(event, action)
    payload = {**delivery.payload, "installation": installation}
    github = AnsweringGitHub()
    commands = await commands_of(event_of(delivery, body=json.dumps(payload).encode()), github)
    assert commands == [Ignore(reason=NO_INSTALLATION, cause=CAUSE)]
    assert github.asked == []


async def test_a_rename_without_an_installation_is_believed() -> None:
    delivery = golden("installation_target", "renamed")
    payload = {**delivery.payload, "account": {"id": 4242, "login": "new-name", "type": "User"}, "target_type": "User"}
    del payload["installation"]
    commands = await commands_of(event_of(delivery, body=json.dumps(payload).encode()))
    account = GitHubAccount(id=GitHubAccountId(4242), login="new-name", type="User")
    assert commands == [RenameAccount(account=account, cause=CAUSE)]


async def test_a_rename_of_nobody_is_ignored() -> None:
    delivery = golden("installation_target", "renamed")
    payload = {"action": "renamed"}
    commands = await commands_of(event_of(delivery, body=json.dumps(payload).encode()))
    assert commands == [Ignore(reason=NO_INSTALLATION, cause=CAUSE)]


async def test_only_who_installs_takes_a_place_for_sign_up_credits() -> None:
    delivery = golden("installation", "created")
    payload = {**delivery.payload, "sender": None}
    [command] = await commands_of(event_of(delivery, body=json.dumps(payload).encode()))
    assert isinstance(command, FollowInstallation)
    assert command.installer_id is None
