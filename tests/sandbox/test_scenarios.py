"""The scenarios by themselves: what stands at GitHub when one is done."""

import pytest

from sandbox.github.model import Plan
from sandbox.github.server import GitHubStandIn
from sandbox.github.state import default_plans
from sandbox.scenarios import SCENARIOS, TEAM_ROLES
from tests.contract import GitHubContract


@pytest.fixture
def plans() -> list[Plan]:
    """The listing that the sandbox starts with."""
    return default_plans()


@pytest.mark.parametrize("name", list(SCENARIOS))
async def test_a_scenario_can_be_played_again_for_another_account(
    github: GitHubStandIn, contract: GitHubContract, name: str
) -> None:
    scenario = SCENARIOS[name]
    first, second = [await scenario.run(github, github.settle) for _ in range(2)]
    assert first is not second
    word = name.replace("_", "-")
    assert second.login == first.login.replace(f"{word}-1", f"{word}-2") != first.login
    assert scenario.name == name
    assert scenario.description.endswith(".")
    assert "\n" not in scenario.description
    assert (github.state.installation_of(first) is None) == (github.state.installation_of(second) is None)
    contract.assert_kept()


async def test_a_team_has_people_of_each_role_in_a_public_and_a_private_repository(github: GitHubStandIn) -> None:
    account = await SCENARIOS["team"].run(github, github.settle)
    assert [(known.name, known.private) for known in account.repositories] == [("website", False), ("engine", True)]
    stranger = github.state.account(f"{account.login}-stranger")
    for repository in account.repositories:
        assert sorted(repository.roles.values()) == sorted(TEAM_ROLES)
        assert {thread.is_pull_request for thread in repository.threads.values()} == {True, False}
        assert repository.role_of(stranger) == ("none" if repository.private else "read")
        assert repository.role_of(github.state.human(account)) == "admin"
    assert github.installation(account).repositories == account.repositories
