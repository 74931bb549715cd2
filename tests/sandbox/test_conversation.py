"""What people do in repositories and threads, and what the App hears of it."""

import pytest

from sandbox.github.errors import ActionError
from sandbox.github.model import Installation, Repository, Thread
from sandbox.github.server import GitHubStandIn
from sandbox.github.shapes_conversation import issue_comment
from sandbox.github.world import World
from tests.contract import GitHubContract
from tests.sandbox.conftest import Client, Target, connect


@pytest.fixture(autouse=True)
def installed(github: GitHubStandIn, issue: Thread) -> Installation:
    """The App on the organization."""
    return github.install(issue.repository.owner)


async def test_every_event_is_sent_by_the_description(
    github: GitHubStandIn, issue: Thread, target: Target, contract: GitHubContract
) -> None:
    github.installation("acme").events += ["organization", "repository"]
    pull = github.open_issue(issue.repository, "alice", "It is mended", pull_request=True)
    zoe = github.add_user("zoe")
    own = github.add_repository(zoe, "own")
    github.install(zoe)
    for thread in (issue, pull, github.open_issue(own, zoe, "Mine")):
        comment = github.comment(thread, thread.author, "Hello")
        github.edit_comment(comment, "Hello again")
        github.delete_comment(comment)
        github.comment(thread, github.app_bot, "I am the App")
        github.comment(thread, thread.author, "By a tool", via_app=True)
        github.comment(thread, github.add_bot("dependabot"), "I am a bot")
    github.add_repository("acme", "second")
    github.rename_repository(issue.repository, "product")
    github.set_visibility(issue.repository, private=False)
    github.set_visibility(issue.repository, private=False)
    github.set_visibility(issue.repository, private=True)
    github.rename("acme", "acme-corp")
    await github.settle()
    comments = ["created", "edited", "deleted", "created", "created", "created"]
    assert target.names() == [
        "installation.created",
        "pull_request.opened",
        "installation.created",
        *[f"issue_comment.{action}" for action in comments * 3],
        "installation_repositories.added",
        "repository.renamed",
        "repository.publicized",
        "repository.privatized",
        "installation_target.renamed",
        "organization.renamed",
    ]
    contract.assert_kept()


async def test_a_comment_says_who_and_where(github: GitHubStandIn, issue: Thread, target: Target) -> None:
    comment = github.comment(issue, "alice", "/credits")
    await github.settle()
    body = target.last().payload
    assert (body["action"], body["comment"]["id"], body["comment"]["body"]) == ("created", comment.id, "/credits")
    assert (body["issue"]["number"], body["issue"]["comments"]) == (1, 1)
    assert "pull_request" not in body["issue"]
    assert body["repository"]["id"] == issue.repository.id
    assert (body["repository"]["full_name"], body["repository"]["private"]) == ("acme/project", True)
    assert body["repository"]["owner"]["id"] == body["organization"]["id"] == github.state.account("acme").id
    assert (body["sender"]["login"], body["sender"]["type"]) == ("alice", "User")
    assert body["installation"]["id"] == github.installation("acme").id
    assert body["comment"]["performed_via_github_app"] is None
    logged = github.state.deliveries["app"][-1].event
    assert (logged.repository_id, logged.installation_id) == (issue.repository.id, github.installation("acme").id)


async def test_a_pull_request_is_an_issue_that_says_so(github: GitHubStandIn, issue: Thread, target: Target) -> None:
    pull = github.open_issue(issue.repository, "alice", "It is mended", pull_request=True)
    github.comment(pull, "alice", "/credits")
    await github.settle()
    body = target.last().payload
    assert body["issue"]["pull_request"]["url"] == f"{github.api_url}/repos/acme/project/pulls/2"
    assert body["comment"]["html_url"].startswith(f"{github.web_url}/acme/project/pull/2#issuecomment-")


async def test_an_edit_says_what_was_there_before(github: GitHubStandIn, issue: Thread, target: Target) -> None:
    comment = github.comment(issue, "alice", "one")
    github.edit_comment(comment, "two", sender=github.add_user("moderator"))
    await github.settle()
    body = target.last().payload
    assert (body["action"], body["changes"], body["comment"]["body"]) == ("edited", {"body": {"from": "one"}}, "two")
    assert (body["sender"]["login"], body["comment"]["user"]["login"]) == ("moderator", "alice")


async def test_the_app_hears_itself(
    client: Client, github: GitHubStandIn, installed: Installation, target: Target
) -> None:
    bot = await connect(client, installed)
    made = (await bot.ask("POST", "/repos/acme/project/issues/1/comments", {"body": "Hello"})).body
    await bot.ask("PATCH", f"/repos/acme/project/issues/comments/{made['id']}", {"body": "Hello again"})
    await bot.ask("DELETE", f"/repos/acme/project/issues/comments/{made['id']}")
    await github.settle()
    heard = [webhook.payload for webhook in target.received[-3:]]
    assert [body["action"] for body in heard] == ["created", "edited", "deleted"]
    assert {body["sender"]["login"] for body in heard} == {"tallyhook-sandbox[bot]"}
    assert {body["sender"]["type"] for body in heard} == {"Bot"}
    assert {body["comment"]["performed_via_github_app"]["id"] for body in heard} == {github.app_id}


async def test_nothing_is_heard_of_what_the_app_does_not_see(
    github: GitHubStandIn, issue: Thread, target: Target
) -> None:
    elsewhere = github.open_issue(github.add_repository(github.add_user("zoe"), "own"), "zoe", "Mine")
    github.comment(elsewhere, "zoe", "not installed")
    github.suspend("acme")
    github.comment(issue, "alice", "suspended")
    github.unsuspend("acme")
    github.installation("acme").events.remove("issue_comment")
    github.comment(issue, "alice", "not subscribed")
    github.installation("acme").events.append("issue_comment")
    github.add_repositories("acme", ["second"])
    github.remove_repositories("acme", ["project"])
    github.comment(issue, "alice", "not selected")
    github.set_visibility(issue.repository, private=False)
    await github.settle()
    assert "issue_comment.created" not in target.names()
    assert "repository.publicized" not in target.names()
    github.add_repositories("acme", ["project"])
    github.comment(issue, "alice", "seen again")
    await github.settle()
    assert target.names()[-2:] == ["installation_repositories.added", "issue_comment.created"]


def test_an_association_says_nothing_sure_of_what_one_may_do(github: GitHubStandIn, issue: Thread) -> None:
    repository = issue.repository
    people = [github.add_user(f"person-{number}") for number in range(4)]
    associations: dict[str, set[str]] = {}
    for role in ("write", "read"):
        for person in people:
            github.set_permission(repository, person, role)
            github.comment(issue, person, "Hello")
            body = github.state.hosting.comments[max(github.state.hosting.comments)]
            shown = _association(github, body.id)
            associations.setdefault(role, set()).add(shown)
    assert associations["write"] == associations["read"] == {"MEMBER", "CONTRIBUTOR"}
    zoe = github.add_user("zoe")
    own = github.open_issue(github.add_repository(zoe, "own"), zoe, "Mine")
    github.set_permission(own.repository, people[0], "write")
    authors = (zoe, people[0], people[1])
    assert [_association(github, github.comment(own, author, "Hello").id) for author in authors] == [
        "OWNER",
        "COLLABORATOR",
        "NONE",
    ]


def _association(github: GitHubStandIn, comment_id: int) -> str:
    return str(issue_comment(github.state, github.state.hosting.comment(comment_id))["author_association"])


def test_an_installation_sees_all_or_the_selected_ones(github: GitHubStandIn, issue: Thread) -> None:
    acme = github.state.account("acme")
    installed = github.installation(acme)
    second = github.add_repository(acme, "second")
    assert installed.repositories == [issue.repository, second]
    github.uninstall(acme)
    chosen = github.install(acme, repositories=["second", "third"])
    assert [known.name for known in chosen.repositories] == ["second", "third"]
    assert chosen.repositories[0] is second
    assert [known.name for known in acme.repositories] == ["project", "second", "third"]
    fourth = github.add_repository(acme, "fourth")
    assert fourth not in chosen.repositories
    newcomer = github.add_user("newcomer")
    assert [(known.full_name, known.private) for known in github.install(newcomer).repositories] == [
        ("newcomer/project", False)
    ]


def test_what_cannot_be_done_in_repositories_is_refused(github: GitHubStandIn, issue: Thread) -> None:
    repository = issue.repository
    github.add_user("stranger")
    with pytest.raises(ActionError, match="has a repository 'PROJECT' already"):
        github.add_repository("acme", "PROJECT")
    for name in ("", "a/b", "..", "a b", "x" * 101):
        with pytest.raises(ActionError, match="a repository's name"):
            github.add_repository("acme", name)
    github.rename_repository(repository, "Project")
    github.add_repository("acme", "second")
    with pytest.raises(ActionError, match="already"):
        github.rename_repository("acme/project", "second")
    with pytest.raises(ActionError, match="no repository 'acme/third'"):
        github.archive("acme/third")
    with pytest.raises(ActionError, match="no repository 5"):
        github.archive(5)
    with pytest.raises(ActionError, match="owns"):
        github.set_permission(repository, "alice", "read")
    with pytest.raises(ActionError, match="is not a user"):
        github.set_permission(repository, "acme", "read")
    with pytest.raises(ActionError, match="sees some of these"):
        github.add_repositories("acme", ["second"])


def test_what_cannot_be_done_in_threads_is_refused(github: GitHubStandIn, issue: Thread) -> None:
    stranger, reader = github.add_user("stranger"), github.add_user("reader")
    github.set_permission(issue.repository, reader, "triage")
    with pytest.raises(ActionError, match="stranger can't see acme/project"):
        github.open_issue(issue.repository, stranger, "Let me in")
    with pytest.raises(ActionError, match="stranger can't see acme/project"):
        github.comment(issue, stranger, "Let me in")
    with pytest.raises(ActionError, match="is not a user"):
        github.comment(issue, "acme", "We")
    with pytest.raises(ActionError, match="has a title"):
        github.open_issue(issue.repository, reader, " ")
    for body in ("", " \n", "x" * 65_537):
        with pytest.raises(ActionError, match="a comment"):
            github.comment(issue, reader, body)
    for reference in ("acme/project#2", "acme/project#one", "acme/project", "acme/third#1"):
        with pytest.raises(ActionError, match="there is no"):
            github.comment(reference, reader, "Hello")
    github.lock("acme/project#1")
    with pytest.raises(ActionError, match="acme/project#1 is locked"):
        github.comment(issue, reader, "Hello")
    kept = github.comment(issue, "alice", "Hello")
    github.archive(issue.repository)
    with pytest.raises(ActionError, match="archived"):
        github.comment(issue, "alice", "Hello")
    with pytest.raises(ActionError, match="archived"):
        github.open_issue(issue.repository, "alice", "Hello")
    github.archive(issue.repository, archived=False)
    reaction = github.react(kept, "alice", "heart")
    github.take_back(kept, reaction)
    with pytest.raises(ActionError, match="no such reaction"):
        github.take_back(kept, reaction)
    gone = github.delete_comment(kept)
    with pytest.raises(ActionError, match="no such comment"):
        github.edit_comment(gone, "Hello")
    pull = github.open_issue(issue.repository, "alice", "It is mended", pull_request=True)
    with pytest.raises(ActionError, match="can't be deleted"):
        github.delete_issue(pull)
    github.delete_issue(issue)
    for act in (github.lock, github.delete_issue):
        with pytest.raises(ActionError, match="there is no issue 'acme/project#1'"):
            act(issue)
    assert github.state.threads() == [pull]


def test_bots_are_no_customers(github: GitHubStandIn) -> None:
    bot = github.add_bot("dependabot")
    assert github.add_bot("dependabot[bot]") is bot
    assert (bot.login, bot.type) == ("dependabot[bot]", "Bot")
    assert bot.id not in github.state.accounts
    assert github.app_bot.login == f"{github.state.app.slug}[bot]"
    with pytest.raises(ActionError, match="a login has"):
        github.add_user("robot[bot]")


def test_a_repository_is_found_whatever_its_case(github: GitHubStandIn, issue: Thread) -> None:
    found: Repository = github.state.hosting.repository("ACME/Project")
    assert found is issue.repository
    assert github.state.hosting.repository(found.id) is found
    assert github.state.hosting.thread("acme/project#1") is issue
    assert (issue.name, issue.number) == ("acme/project#1", 1)


def test_another_stand_in_may_begin_at_other_ids_of_what_is_written_but_not_of_accounts() -> None:
    ids = []
    for offset in (0, 0, 5_000):
        world = World(id_offset=offset)
        thread = world.open_issue(world.add_repository(world.add_user("alice"), "own"), "alice", "It stops")
        ids.append((world.state.account("alice").id, thread.repository.id, world.comment(thread, "alice", "Hello").id))
    account, repository, comment = ids[0]
    assert ids == [ids[0], ids[0], (account, repository + 5_000, comment + 5_000)]
