"""Who may ask: the App's signed tokens, and installation tokens."""

import jwt
import pytest

from sandbox.clock import VirtualClock
from sandbox.github.keys import new_private_key, process_private_key
from sandbox.github.server import GitHubStandIn
from tests.sandbox.conftest import Client

MINUTE = 60


async def test_the_app_is_known_by_either_id(client: Client, github: GitHubStandIn) -> None:
    for issuer in (str(github.app_id), github.client_id):
        answer = await client.get("/app", token=client.app_token(iss=issuer))
        assert (answer.status, answer.body["id"]) == (200, github.app_id)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exp": 11 * MINUTE}, "too far in the future"),
        ({"exp": 0}, "'exp') must be"),
        ({"exp": -MINUTE}, "'exp') must be"),
        ({"iat": 2 * MINUTE}, "'iat') must be"),
        ({"iat": -20 * MINUTE}, "too far in the future"),
    ],
)
async def test_times_are_judged_by_the_stand_ins_clock(client: Client, change: dict[str, int], words: str) -> None:
    now = int(client.github.clock.now().timestamp())
    answer = await client.get("/app", token=client.app_token(**{name: now + offset for name, offset in change.items()}))
    assert answer.status == 401
    assert words in answer.body["message"]
    assert answer.body["status"] == "401"


async def test_a_token_grows_old_by_the_virtual_clock(client: Client, clock: VirtualClock) -> None:
    token = client.app_token()
    assert (await client.get("/app", token=token)).status == 200
    clock.advance(minutes=9)
    assert (await client.get("/app", token=token)).status == 401


async def test_a_slightly_fast_clock_is_forgiven(client: Client) -> None:
    now = int(client.github.clock.now().timestamp())
    assert (await client.get("/app", token=client.app_token(iat=now + 30, exp=now + 600))).status == 200


@pytest.mark.parametrize("claims", [{"iss": "somebody-else"}, {"iat": "now"}, {"exp": "later"}, {"iat": 1.5}])
async def test_claims_that_are_no_ids_or_whole_numbers_are_refused(client: Client, claims: dict[str, object]) -> None:
    assert (await client.get("/app", token=client.app_token(**claims))).status == 401


async def test_another_key_or_algorithm_is_refused(client: Client, github: GitHubStandIn) -> None:
    now = int(github.clock.now().timestamp())
    claims = {"iat": now, "exp": now + 60, "iss": github.client_id}
    foreign = jwt.encode(claims, new_private_key(), algorithm="RS256")
    symmetric = jwt.encode(claims, "a shared secret of sufficient length", algorithm="HS256")
    unsigned = jwt.encode(claims, "", algorithm="none")
    for token in (foreign, symmetric, unsigned, "nonsense", "a.b.c"):
        answer = await client.get("/app", token=token)
        assert (answer.status, answer.body["message"]) == (401, "A JSON web token could not be decoded")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi"])
async def test_no_token_at_all(client: Client, header: str) -> None:
    answer = await client.ask("GET", "/app", token=None, headers={"Authorization": header})
    assert (answer.status, answer.body["message"]) == (401, "Requires authentication")


async def test_an_installation_token_is_long_opaque_and_lives_an_hour(
    client: Client, github: GitHubStandIn, clock: VirtualClock
) -> None:
    installed = github.install(github.add_user("alice"))
    made = await client.ask("POST", f"/app/installations/{installed.id}/access_tokens")
    token = made.body["token"]
    assert made.status == 201
    assert token.startswith(f"ghs_{github.app_id}_")
    assert 500 <= len(token) <= 540
    assert made.body["expires_at"] == "2026-01-10T13:00:00Z"
    assert github.state.tokens.minted == 1
    seen = await client.get("/installation/repositories", token=token)
    assert (seen.status, seen.body["total_count"]) == (200, 1)
    clock.advance(hours=1, milliseconds=-1)
    assert (await client.get("/installation/repositories", token=token)).status == 200
    clock.advance(milliseconds=1)
    assert (await client.get("/installation/repositories", token=token)).body["message"] == "Bad credentials"


async def test_tokens_differ_and_come_out_the_same_for_the_same_seed(client: Client, github: GitHubStandIn) -> None:
    installed = github.install(github.add_user("alice"))
    path = f"/app/installations/{installed.id}/access_tokens"
    first, second = (await client.ask("POST", path)).body["token"], (await client.ask("POST", path)).body["token"]
    assert first != second
    other = GitHubStandIn(github.clock)
    again = other.install(other.add_user("alice"))
    token = other.state.tokens.mint(other.state.app, again, now=github.clock.now(), permissions={}, repository_ids=None)
    assert token.token == first


async def test_an_installation_token_opens_neither_app_nor_listing(client: Client, github: GitHubStandIn) -> None:
    installed = github.install(github.add_user("alice"))
    token = (await client.ask("POST", f"/app/installations/{installed.id}/access_tokens")).body["token"]
    for path in ("/app", "/marketplace_listing/plans", f"/marketplace_listing/accounts/{installed.account.id}"):
        assert (await client.get(path, token=token)).status == 401
    assert (await client.get("/installation/repositories")).status == 401


async def test_a_young_token_may_be_refused_for_some_seconds(
    client: Client, github: GitHubStandIn, clock: VirtualClock
) -> None:
    installed = github.install(github.add_user("alice"))
    path = f"/app/installations/{installed.id}/access_tokens"
    github.state.tokens.refuse_young(2)
    token = (await client.ask("POST", path)).body["token"]
    assert [(await client.get("/installation/repositories", token=token)).status for _ in range(3)] == [401, 401, 200]
    github.state.tokens.refuse_young(99)
    token = (await client.ask("POST", path)).body["token"]
    assert (await client.get("/installation/repositories", token=token)).status == 401
    clock.advance(seconds=5)
    assert (await client.get("/installation/repositories", token=token)).status == 200
    assert (await client.ask("POST", path)).status == 201


async def test_tokens_end_with_the_installation(client: Client, github: GitHubStandIn) -> None:
    alice = github.add_user("alice")
    installed = github.install(alice)
    path = f"/app/installations/{installed.id}/access_tokens"
    token = (await client.ask("POST", path)).body["token"]
    github.suspend(alice)
    assert (await client.get("/installation/repositories", token=token)).status == 403
    assert (await client.ask("POST", path)).status == 403
    github.unsuspend(alice)
    assert (await client.get("/installation/repositories", token=token)).status == 200
    github.uninstall(alice)
    assert (await client.get("/installation/repositories", token=token)).status == 401
    assert (await client.ask("POST", path)).status == 404


async def test_revoked_tokens_are_refused(client: Client, github: GitHubStandIn) -> None:
    installed = github.install(github.add_user("alice"))
    token = (await client.ask("POST", f"/app/installations/{installed.id}/access_tokens")).body["token"]
    github.state.tokens.revoke_all()
    assert (await client.get("/installation/repositories", token=token)).status == 401


async def test_a_token_can_be_narrowed(client: Client, github: GitHubStandIn) -> None:
    installed = github.install(github.add_user("alice"), repositories=["one", "two", "three"])
    path = f"/app/installations/{installed.id}/access_tokens"
    by_name = await client.ask("POST", path, json={"repositories": ["two"], "permissions": {"issues": "read"}})
    assert [repository["name"] for repository in by_name.body["repositories"]] == ["two"]
    assert by_name.body["permissions"] == {"issues": "read"}
    seen = await client.get("/installation/repositories", token=by_name.body["token"])
    assert [repository["name"] for repository in seen.body["repositories"]] == ["two"]
    by_id = await client.ask("POST", path, json={"repository_ids": [installed.repositories[0].id]})
    assert [repository["name"] for repository in by_id.body["repositories"]] == ["one"]
    assert (await client.ask("POST", path, json={"repositories": ["four"]})).status == 422
    assert (await client.ask("POST", path, json={"permissions": {"contents": "write"}})).status == 422
    assert (await client.ask("POST", path, json={"permissions": {"metadata": "write"}})).status == 422


def test_the_process_makes_one_key() -> None:
    assert process_private_key() is process_private_key()
    assert new_private_key() != process_private_key()


async def test_a_given_key_is_used(clock: VirtualClock) -> None:
    key = new_private_key()
    github = GitHubStandIn(clock, private_key_pem=key)
    assert github.private_key_pem == key
