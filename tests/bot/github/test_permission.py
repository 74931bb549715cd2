"""What GitHub says somebody may do: by id, whoever has the login, and nothing where it says nothing."""

from typing import Literal

import pytest

from billing.errors import CannotActError, TemporaryFailureError
from billing.values import GitHubAccountId, InstallationId, Permission
from bot.github.client import GitHubClient
from bot.github.readbacks import GitHubReadBacks
from sandbox.clock import VirtualClock
from sandbox.github.model import Account, Installation, Repository
from sandbox.github.server import GitHubStandIn
from tests.bot.github.conftest import PLANS
from tests.bot.github.connecting import readbacks_of
from tests.bot.github.impostor import Impostor

PATH = "/repos/*/permission"
Role = Literal["admin", "maintain", "write", "triage", "read", "none"]


@pytest.fixture
def account(github: GitHubStandIn) -> Account:
    return github.add_organization("octo-org")


@pytest.fixture
def repository(github: GitHubStandIn, account: Account) -> Repository:
    return github.add_repository(account, "hello", private=True)


@pytest.fixture
def installation(github: GitHubStandIn, account: Account, repository: Repository) -> Installation:
    assert repository.owner is account
    return github.install(account)


async def asked(
    readbacks: GitHubReadBacks, installation: Installation, user_id: int, login: str, *, repository: str = "hello"
) -> Permission:
    return await readbacks.permission(
        InstallationId(installation.id),
        owner="octo-org",
        repository=repository,
        user_id=GitHubAccountId(user_id),
        login=login,
    )


@pytest.mark.parametrize(
    ("role", "permission"),
    [
        ("admin", Permission.ADMIN),
        ("maintain", Permission.WRITE),
        ("write", Permission.WRITE),
        ("triage", Permission.READ),
        ("read", Permission.READ),
        ("none", Permission.NONE),
    ],
)
async def test_every_role_is_one_of_four_permissions(
    readbacks: GitHubReadBacks,
    github: GitHubStandIn,
    installation: Installation,
    repository: Repository,
    role: Role,
    permission: Permission,
) -> None:
    user = github.add_user("ada")
    github.set_permission(repository, user, role)
    assert await asked(readbacks, installation, user.id, "ada") is permission


async def test_an_owner_may_everything(
    readbacks: GitHubReadBacks, github: GitHubStandIn, installation: Installation, account: Account
) -> None:
    owner = github.state.human(account)
    assert await asked(readbacks, installation, owner.id, owner.login) is Permission.ADMIN


async def test_a_login_that_somebody_else_has_by_now_counts_for_nothing(
    readbacks: GitHubReadBacks, github: GitHubStandIn, installation: Installation, repository: Repository
) -> None:
    former, successor = github.add_user("ada"), github.add_user("eve")
    github.rename(former, "ada-elsewhere")
    github.rename(successor, "ada")
    github.set_permission(repository, successor, "admin")
    assert await asked(readbacks, installation, former.id, "ada") is Permission.NONE


@pytest.mark.parametrize("login", ["nobody", "octo-org", "bot[bot]", "%2e%2e", "ä"])
async def test_who_is_nobody_may_nothing(readbacks: GitHubReadBacks, installation: Installation, login: str) -> None:
    assert await asked(readbacks, installation, 7, login) is Permission.NONE


async def test_a_former_name_of_the_repository_still_leads_to_it(
    readbacks: GitHubReadBacks, github: GitHubStandIn, installation: Installation, repository: Repository
) -> None:
    user = github.add_user("ada")
    github.set_permission(repository, user, "write")
    github.rename_repository(repository, "goodbye")
    assert await asked(readbacks, installation, user.id, "ada") is Permission.WRITE
    assert await asked(readbacks, installation, user.id, "ada", repository="never-there") is Permission.NONE


@pytest.mark.parametrize("has_token", [True, False])
@pytest.mark.parametrize("act", ["suspend", "uninstall"])
async def test_for_a_suspended_or_removed_installation_nothing_is_asked(
    readbacks: GitHubReadBacks, github: GitHubStandIn, installation: Installation, act: str, *, has_token: bool
) -> None:
    if has_token:
        await asked(readbacks, installation, 7, "nobody")
        # Old enough that a refusal isn't taken for its youth.
        github.clock.advance(minutes=1)
    getattr(github, act)(installation.account)
    with pytest.raises(CannotActError):
        await asked(readbacks, installation, 7, "nobody")


@pytest.mark.parametrize("status", [403, 451])
async def test_a_question_that_is_forbidden_is_not_asked_again(
    readbacks: GitHubReadBacks, github: GitHubStandIn, installation: Installation, status: int
) -> None:
    github.faults.fail(status, path=PATH)
    with pytest.raises(CannotActError, match=str(status)):
        await asked(readbacks, installation, 7, "nobody")


@pytest.mark.parametrize("status", [400, 410, 422, 500, 502])
async def test_no_other_answer_tells_what_somebody_may(
    readbacks: GitHubReadBacks, github: GitHubStandIn, installation: Installation, status: int
) -> None:
    github.faults.fail(status, path=PATH, times=None)
    with pytest.raises(TemporaryFailureError, match=str(status)):
        await asked(readbacks, installation, 7, "nobody")


@pytest.mark.parametrize("fault", ["garble", "drop", "lose_answer", "limit"])
async def test_a_broken_answer_tells_nothing(
    readbacks: GitHubReadBacks, github: GitHubStandIn, installation: Installation, fault: str
) -> None:
    getattr(github.faults, fault)(path=PATH, times=None)
    with pytest.raises(TemporaryFailureError):
        await asked(readbacks, installation, 7, "nobody")


@pytest.mark.parametrize(
    ("answer", "permission"),
    [
        ({"permission": "admin", "user": {"id": 7}}, Permission.ADMIN),
        ({"permission": "admin", "user": None}, Permission.NONE),
        ({"permission": "admin"}, Permission.NONE),
        ({"permission": "admin", "user": {"id": "7"}}, Permission.NONE),
        ({"permission": "emperor", "user": {"id": 7}}, Permission.NONE),
        ({"user": {"id": 7}}, None),
        ({}, None),
        ([], None),
        ({"permission": 4, "user": {"id": 7}}, None),
    ],
)
async def test_answers_in_forms_that_github_does_not_promise(
    impostor: Impostor,
    impostor_client: GitHubClient,
    clock: VirtualClock,
    answer: object,
    permission: Permission | None,
) -> None:
    readbacks = readbacks_of(impostor_client, clock, marketplace_plan_ids=PLANS)
    impostor.say_token_then(answer)
    question = readbacks.permission(
        InstallationId(1), owner="o", repository="r", user_id=GitHubAccountId(7), login="ada"
    )
    if permission is None:
        with pytest.raises(TemporaryFailureError, match="permission"):
            await question
    else:
        assert await question is permission


async def test_the_apps_slug_is_told(readbacks: GitHubReadBacks) -> None:
    assert await readbacks.app_slug() == "tallyhook-sandbox"
