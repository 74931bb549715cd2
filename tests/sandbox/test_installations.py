"""Installing, uninstalling and what lies between, as the App's hook and API show it."""

import pytest

from sandbox.clock import VirtualClock
from sandbox.github.errors import ActionError
from sandbox.github.server import GitHubStandIn
from tests.contract import GitHubContract
from tests.sandbox.conftest import Client, Target


async def test_every_installation_event_is_sent_by_the_description(
    github: GitHubStandIn, target: Target, contract: GitHubContract
) -> None:
    alice, bob = github.add_user("alice"), github.add_user("bob")
    acme = github.add_organization("acme", owner=alice)
    github.install(acme, requester=bob, repositories=["one"])
    github.accept_permissions(acme, {"checks": "read"})
    github.suspend(acme)
    github.unsuspend(acme, sender=bob)
    github.add_repositories(acme, ["two", "three"], private=True)
    github.remove_repositories(acme, ["one"])
    github.rename(acme, "acme-corp")
    github.uninstall(acme)
    await github.settle()
    assert target.names() == [
        "installation.created",
        "installation.new_permissions_accepted",
        "installation.suspend",
        "installation.unsuspend",
        "installation_repositories.added",
        "installation_repositories.removed",
        "installation_target.renamed",
        "installation.deleted",
    ]
    assert {webhook.path for webhook in target.received} == {"/webhooks/github"}
    assert len(contract.events) == 8
    contract.assert_kept()


async def test_an_installation_says_who_and_where(github: GitHubStandIn, target: Target) -> None:
    alice, bob = github.add_user("alice"), github.add_user("bob")
    acme = github.add_organization("acme", owner=alice)
    installed = github.install("ACME", requester="bob", repositories=["one", "two"])
    await github.settle()
    body = target.last().payload
    assert body["installation"]["id"] == installed.id
    assert body["installation"]["account"]["id"] == acme.id
    assert body["installation"]["target_type"] == "Organization"
    assert body["sender"]["id"] == alice.id
    assert body["requester"]["id"] == bob.id
    assert [repository["full_name"] for repository in body["repositories"]] == ["acme/one", "acme/two"]


async def test_an_owner_is_made_up_once(github: GitHubStandIn) -> None:
    acme = github.add_organization("acme")
    first, second = github.state.human(acme), github.state.human(acme)
    assert first is second
    assert (first.login, first.type) == ("acme-owner", "User")
    github.rename(acme, "acme-corp")
    namesake = github.add_organization("acme")
    other = github.state.human(namesake)
    assert other is not first
    assert other.login == f"acme-{namesake.id}-owner"


async def test_a_reinstallation_is_a_new_one_of_the_same_account(client: Client, github: GitHubStandIn) -> None:
    alice = github.add_user("alice")
    first = github.install(alice)
    github.uninstall(alice)
    second = github.install(alice)
    assert second.id != first.id
    assert second.account is alice
    assert (await client.get(f"/app/installations/{first.id}")).status == 404
    assert [installed["id"] for installed in (await client.get("/app/installations")).body] == [second.id]
    assert (await client.get("/app")).body["installations_count"] == 1


async def test_a_rename_is_told_where_the_app_is_installed_only(github: GitHubStandIn, target: Target) -> None:
    alice, bob = github.add_user("alice"), github.add_user("bob")
    github.install(alice)
    github.rename(bob, "robert")
    github.rename(alice, "alicia")
    await github.settle()
    assert target.names() == ["installation.created", "installation_target.renamed"]
    body = target.last().payload
    assert body["changes"] == {"login": {"from": "alice"}}
    assert (body["account"]["id"], body["account"]["login"], body["target_type"]) == (alice.id, "alicia", "User")


async def test_a_suspension_is_shown(client: Client, github: GitHubStandIn, clock: VirtualClock) -> None:
    alice = github.add_user("alice")
    installed = github.install(alice)
    clock.advance(minutes=5)
    github.suspend(alice)
    body = (await client.get(f"/app/installations/{installed.id}")).body
    assert (body["suspended_at"], body["suspended_by"]["login"]) == ("2026-01-10T12:05:00Z", "alice")
    github.unsuspend(alice)
    body = (await client.get(f"/app/installations/{installed.id}")).body
    assert (body["suspended_at"], body["suspended_by"]) == (None, None)


async def test_the_app_may_suspend_and_uninstall_by_itself(
    client: Client, github: GitHubStandIn, target: Target
) -> None:
    installed = github.install(github.add_user("alice"))
    path = f"/app/installations/{installed.id}"
    for method, suffix in (
        ("PUT", "/suspended"),
        ("PUT", "/suspended"),
        ("DELETE", "/suspended"),
        ("DELETE", "/suspended"),
    ):
        assert (await client.ask(method, path + suffix)).status == 204
    assert (await client.ask("DELETE", path)).status == 204
    assert (await client.ask("DELETE", path)).status == 404
    await github.settle()
    assert target.names() == [
        "installation.created",
        "installation.suspend",
        "installation.unsuspend",
        "installation.deleted",
    ]


def test_what_cannot_be_done_is_refused(clock: VirtualClock) -> None:
    github = GitHubStandIn(clock)
    alice = github.add_user("alice")
    with pytest.raises(ActionError, match="isn't installed"):
        github.uninstall(alice)
    github.install(alice)
    with pytest.raises(ActionError, match="installed on alice already"):
        github.install(alice)
    with pytest.raises(ActionError, match="isn't suspended"):
        github.unsuspend(alice)
    github.suspend(alice)
    with pytest.raises(ActionError, match="suspended already"):
        github.suspend(alice)
    with pytest.raises(ActionError, match="doesn't see all"):
        github.remove_repositories(alice, ["nothing"])
    with pytest.raises(ActionError, match="no account 'nobody'"):
        github.install("nobody")
    with pytest.raises(ActionError, match="no account 5"):
        github.install(5)
    github.add_user("bob")
    with pytest.raises(ActionError, match="login 'Bob' is taken"):
        github.rename(alice, "Bob")
    for login in ("", "bad login!", "-alice", "a" * 40):
        with pytest.raises(ActionError, match="a login has up to 39 letters"):
            github.rename("alice", login)
    with pytest.raises(ActionError, match="login 'ALICE' is taken"):
        github.add_user("ALICE")
    with pytest.raises(ActionError, match="is taken"):
        github.add_user("carol", id=alice.id)
    with pytest.raises(ActionError, match="between 1 and 31"):
        github.add_user("carol", billing_day=32)


def test_an_account_may_be_given_its_id_and_change_its_logins_case(clock: VirtualClock) -> None:
    github = GitHubStandIn(clock)
    alice = github.add_user("alice", id=42)
    assert github.state.account(42) is alice
    github.rename(alice, "Alice")
    assert github.state.account("aLiCe").login == "Alice"
