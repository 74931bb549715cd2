"""What the REST API answers: shapes by GitHub's description, paging, manners."""

import pytest

from sandbox.clock import VirtualClock
from sandbox.github.server import GitHubStandIn
from tests.contract import GitHubContract
from tests.sandbox.conftest import Client, Target


async def test_every_route_answers_by_the_description(
    client: Client, github: GitHubStandIn, contract: GitHubContract
) -> None:
    alice = github.add_user("alice", email="alice@example.com")
    acme = github.add_organization("acme", owner=alice, email="billing@acme.example")
    github.install(alice)
    installed = github.install(acme, repositories=["one", "two"], requester=alice)
    github.buy(alice, "Pro")
    github.buy(acme, "Team", units=3, cycle="yearly")
    github.change(acme, units=2)
    await github.settle()
    delivery = github.state.deliveries["app"][0].id
    token = (await client.ask("POST", f"/app/installations/{installed.id}/access_tokens")).body["token"]
    asked = [
        ("GET", "/app"),
        ("GET", "/app/hook/config"),
        ("GET", "/app/hook/deliveries?per_page=10&status=success"),
        ("GET", f"/app/hook/deliveries/{delivery}"),
        ("POST", f"/app/hook/deliveries/{delivery}/attempts"),
        ("GET", "/app/installations?per_page=1"),
        ("GET", f"/app/installations/{installed.id}"),
        ("PUT", f"/app/installations/{installed.id}/suspended"),
        ("GET", f"/app/installations/{installed.id}"),
        ("DELETE", f"/app/installations/{installed.id}/suspended"),
        ("GET", "/marketplace_listing/plans?per_page=2&page=2"),
        ("GET", "/marketplace_listing/plans/1313/accounts?sort=updated&direction=desc&per_page=5&page=1"),
        ("GET", f"/marketplace_listing/accounts/{alice.id}"),
        ("GET", f"/marketplace_listing/accounts/{acme.id}"),
        ("GET", "/rate_limit"),
        ("GET", "/users/ALICE"),
        ("GET", f"/user/{acme.id}"),
    ]
    statuses = [(await client.ask(method, path)).status for method, path in asked]
    assert statuses == [200, 200, 200, 200, 202, 200, 200, 204, 200, 204, 200, 200, 200, 200, 200, 200, 200]
    assert (await client.get("/installation/repositories?per_page=1", token=token)).body["total_count"] == 2
    assert (await client.ask("DELETE", f"/app/installations/{installed.id}")).status == 204
    assert len(contract.exchanges) == len(asked) + 3
    contract.assert_kept()


async def test_what_is_not_there_is_404(client: Client) -> None:
    for path in (
        "/app/installations/1",
        "/app/hook/deliveries/1",
        "/marketplace_listing/accounts/1",
        "/marketplace_listing/plans/1/accounts",
        "/users/nobody",
        "/user/1",
    ):
        answer = await client.get(path)
        assert (answer.status, answer.body["message"], answer.body["status"]) == (404, "Not Found", "404")
        assert answer.body["documentation_url"].startswith("https://docs.github.com/")


async def test_an_account_at_the_listing(client: Client, github: GitHubStandIn) -> None:
    acme = github.add_organization("acme", email="billing@acme.example", billing_day=25)
    github.buy(acme, "Pro")
    body = (await client.get(f"/marketplace_listing/accounts/{acme.id}")).body
    assert body["type"] == "Organization"
    assert body["organization_billing_email"] == "billing@acme.example"
    assert body["marketplace_pending_change"] is None
    bought = body["marketplace_purchase"]
    assert (bought["next_billing_date"], bought["is_installed"]) == ("2026-01-25T00:00:00Z", False)
    assert (bought["plan"]["id"], bought["plan"]["number"], bought["plan"]["state"]) == (1313, 2, "published")
    github.install(acme)
    github.cancel(acme)
    body = (await client.get(f"/marketplace_listing/accounts/{acme.id}")).body
    pending = body["marketplace_pending_change"]
    assert (pending["unit_count"], pending["plan"]["id"]) == (0, 1313)
    assert pending["effective_date"] == "2026-01-25T00:00:00Z"
    assert pending["is_installed"]
    assert "billing_cycle" not in pending


async def test_pages_lead_to_each_other(client: Client, github: GitHubStandIn) -> None:
    for number in range(7):
        github.install(github.add_user(f"user-{number}"))
    answer = await client.get("/app/installations?per_page=3")
    seen = [installed["account"]["login"] for installed in answer.body]
    pages = 1
    while (url := answer.link("next")) is not None:
        answer, pages = await client.get(url), pages + 1
        seen += [installed["account"]["login"] for installed in answer.body]
    assert seen == [f"user-{number}" for number in range(7)]
    assert pages == 3
    assert answer.link("prev") == f"{github.api_url}/app/installations?per_page=3&page=2"
    assert answer.link("first") == f"{github.api_url}/app/installations?per_page=3&page=1"
    assert answer.link("last") is None
    assert (await client.get("/app/installations?page=9")).body == []


async def test_page_sizes_are_cut_to_a_hundred_and_default_to_thirty(client: Client, github: GitHubStandIn) -> None:
    for number in range(101):
        github.install(github.add_user(f"user-{number}"))
    assert len((await client.get("/app/installations")).body) == 30
    assert len((await client.get("/app/installations?per_page=5000")).body) == 100
    answer = await client.get("/app/installations?per_page=many")
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "per_page")


async def test_accounts_of_a_plan_are_sorted(client: Client, github: GitHubStandIn, clock: VirtualClock) -> None:
    first, second, third = (github.add_user(name) for name in ("first", "second", "third"))
    for account in (first, second, third):
        github.buy(account, "Team")
        clock.advance(hours=1)
    github.change(first, units=2)

    async def logins(query: str) -> list[str]:
        answer = await client.get(f"/marketplace_listing/plans/1515/accounts?{query}")
        return [account["login"] for account in answer.body]

    assert await logins("") == ["first", "second", "third"]
    assert await logins("sort=created&direction=desc") == ["third", "second", "first"]
    assert await logins("sort=updated&direction=asc") == ["second", "third", "first"]
    assert (await client.get("/marketplace_listing/plans/1515/accounts?sort=name")).status == 422
    assert (await client.get("/marketplace_listing/plans/1111/accounts")).body == []


async def test_the_hook_is_set_by_the_api(client: Client, github: GitHubStandIn, target: Target) -> None:
    answer = await client.ask(
        "PATCH",
        "/app/hook/config",
        json={"url": f"{target.url}/elsewhere", "secret": "a new secret", "content_type": "form", "insecure_ssl": "1"},
    )
    assert answer.status == 200
    assert answer.body == {
        "url": f"{target.url}/elsewhere",
        "secret": "********",
        "content_type": "form",
        "insecure_ssl": "1",
    }
    assert (await client.get("/app/hook/config")).body == answer.body
    assert github.webhook_secret == "a new secret"
    github.install(github.add_user("alice"))
    await github.settle()
    assert target.last().path == "/elsewhere"
    assert target.last().headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert target.last().payload["action"] == "created"


@pytest.mark.parametrize("change", [{"content_type": "xml"}, {"url": "nothing"}])
async def test_a_hook_that_makes_no_sense_is_refused(
    client: Client, github: GitHubStandIn, change: dict[str, str]
) -> None:
    before = github.target_url
    assert (await client.ask("PATCH", "/app/hook/config", json=change)).status == 422
    assert github.target_url == before


async def test_bodies_must_be_json_objects(client: Client) -> None:
    assert (await client.ask("PATCH", "/app/hook/config", json=[1])).status == 400
    async with client.session.patch(
        f"{client.github.api_url}/app/hook/config",
        data=b"{",
        headers={"Authorization": f"Bearer {client.app_token()}"},
    ) as answer:
        assert answer.status == 400


async def test_every_answer_has_githubs_headers(client: Client, github: GitHubStandIn, clock: VirtualClock) -> None:
    first, second = await client.get("/app"), await client.get("/nowhere")
    for answer in (first, second):
        assert answer.headers["X-GitHub-Request-Id"]
        assert answer.headers["X-RateLimit-Limit"] == "5000"
        assert answer.headers["X-GitHub-Api-Version-Selected"] == "2022-11-28"
        assert answer.headers["Date"] == "Sat, 10 Jan 2026 12:00:00 GMT"
    assert second.status == 404
    assert first.headers["X-GitHub-Request-Id"] != second.headers["X-GitHub-Request-Id"]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in (first, second)] == ["4999", "4998"]
    reset = int(first.headers["X-RateLimit-Reset"])
    assert reset == int(clock.now().timestamp()) + 3600
    clock.advance(hours=1)
    assert (await client.get("/app")).headers["X-RateLimit-Remaining"] == "4999"
    assert github.rate_limit == 5000


async def test_looking_at_the_limit_costs_nothing(client: Client) -> None:
    await client.get("/app")
    used = [(await client.get("/rate_limit")).body["resources"]["core"]["used"] for _ in range(3)]
    assert used == [1, 1, 1]


async def test_newer_api_versions_and_unknown_ones(client: Client) -> None:
    newer = await client.ask("GET", "/rate_limit", headers={"X-GitHub-Api-Version": "2026-03-10"})
    assert "rate" not in newer.body
    unknown = await client.ask("GET", "/rate_limit", headers={"X-GitHub-Api-Version": "1999-01-01"})
    assert (unknown.status, "not a supported version" in unknown.body["message"]) == (400, True)


async def test_who_does_not_say_who_they_are_is_refused(client: Client) -> None:
    answer = await client.ask("GET", "/rate_limit", headers={"User-Agent": ""})
    assert answer.status == 403
    assert "User-Agent" in answer.body["message"]


async def test_a_wrong_method_is_refused_in_githubs_form(client: Client) -> None:
    answer = await client.ask("DELETE", "/app")
    assert (answer.status, answer.body["message"]) == (404, "Not Found")


async def test_a_login_is_found_in_any_case_and_moves_by_a_rename(client: Client, github: GitHubStandIn) -> None:
    alice = github.add_user("Alice")
    assert (await client.get("/users/aLICE")).body["id"] == alice.id
    github.rename(alice, "alicia")
    assert (await client.get("/users/alice")).status == 404
    assert (await client.get(f"/user/{alice.id}")).body["login"] == "alicia"
    other = github.add_user("alice")
    assert (await client.get("/users/alice")).body["id"] == other.id != alice.id
