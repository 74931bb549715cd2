"""Listings in pages, forwards and from their newest end, and what is no listing."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from billing.errors import TemporaryFailureError
from billing.values import InstallationId
from bot.github.answers import AppFields
from bot.github.client import GitHubClient, read_listing
from bot.github.paging import MOST_PAGES
from bot.github.transport import Answer
from sandbox.github.exchange import Exchange
from sandbox.github.server import GitHubStandIn
from tests.bot.github.impostor import Impostor


async def test_an_installations_listing_is_read_forwards_and_from_its_end(
    client: GitHubClient, github: GitHubStandIn, exchanges: list[Exchange]
) -> None:
    account = github.add_user("octocat")
    installed = github.install(account)
    thread = github.open_issue(github.add_repository(account, "hello"), account, "It breaks")
    for _ in range(7):
        github.comment(thread, account, "Me too")
    path = f"/repos/octocat/hello/issues/{thread.number}/comments{{?per_page}}"

    async def ids(pages: AsyncIterator[Answer]) -> list[list[int]]:
        return [[each["id"] for each in json.loads(page.body)] async for page in pages]

    numbers = [comment.id for comment in thread.comments]
    forwards = await ids(client.pages_as_installation(InstallationId(installed.id), path, {"per_page": "2"}))
    assert forwards == [numbers[0:2], numbers[2:4], numbers[4:6], numbers[6:]]
    backwards = await ids(client.newest_pages_as_installation(InstallationId(installed.id), path, {"per_page": "2"}))
    assert backwards == [forwards[0], forwards[3], forwards[2], forwards[1]]
    before = len(exchanges)
    assert await ids(client.newest_pages_as_installation(InstallationId(installed.id), path, {"per_page": "100"})) == [
        numbers
    ]
    assert len(exchanges) == before + 1


async def test_a_page_that_is_refused_is_the_last_from_the_end_too(client: GitHubClient, github: GitHubStandIn) -> None:
    installed = github.install(github.add_user("octocat"))
    path = "/repos/octocat/nothing/issues/1/comments"
    pages = [page.status async for page in client.newest_pages_as_installation(InstallationId(installed.id), path)]
    assert pages == [404]
    assert github.state.tokens.minted == 1


async def test_a_last_page_on_another_server_is_not_read(impostor: Impostor, impostor_client: GitHubClient) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/access_tokens"):
            return web.json_response({"token": "a-token"}, status=201)
        return web.json_response([], headers={"Link": '<http://127.0.0.1:1/list?page=9>; rel="last"'})

    impostor.answer = handle
    pages = impostor_client.newest_pages_as_installation(InstallationId(1), "/list")
    assert (await anext(pages)).status == 200
    with pytest.raises(TemporaryFailureError, match="another server"):
        await anext(pages)


async def test_pages_that_lead_backwards_for_ever_end(impostor: Impostor, impostor_client: GitHubClient) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/access_tokens"):
            return web.json_response({"token": "a-token"}, status=201)
        return web.json_response([], headers={"Link": '</list>; rel="last", </list>; rel="prev"'})

    impostor.answer = handle
    with pytest.raises(TemporaryFailureError, match="pages"):
        async for _ in impostor_client.newest_pages_as_installation(InstallationId(1), "/list"):
            pass
    assert len(impostor.asked) == MOST_PAGES + 2


@pytest.mark.parametrize(
    ("body", "slugs"),
    [
        (b"[]", []),
        (b' [{"slug": "a"}, {"slug": 5}, 7, {}]', ["a", None, None, None]),
        (b'[{"slug": "\\ud800"}]', ["\ud800"]),
    ],
)
def test_a_listing_is_read_as_far_as_it_fits(body: bytes, slugs: list[str | None]) -> None:
    listed = read_listing(AppFields, Answer(status=200, headers={}, body=body))
    assert [each.slug for each in listed] == slugs


@pytest.mark.parametrize("body", [b"", b"{}", b'{"message": "moved"}', b"<html>", b"[", b"[nonsense]", b"null"])
def test_what_is_no_listing_is_not_an_empty_one(body: bytes) -> None:
    with pytest.raises(TemporaryFailureError):
        read_listing(AppFields, Answer(status=200, headers={}, body=body))


def cursors(impostor: Impostor, *, pages: int, refused_from: int | None = None, endless: bool = False) -> None:
    """Let a listing name its next page only, as long ones do and those that go by cursors."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/access_tokens"):
            return web.json_response({"token": "a-token"}, status=201)
        page = int(request.query.get("page", "1"))
        if refused_from is not None and len(impostor.asked) > refused_from:
            return web.json_response({}, status=404)
        headers = {}
        if page < pages or endless:
            headers["Link"] = f'<{impostor.url}/list?page={page + 1}>; rel="next"'
        return web.json_response([{"id": page}], headers=headers)

    impostor.answer = handle


async def from_the_end(client: GitHubClient) -> list[int]:
    pages = client.newest_pages_as_installation(InstallationId(1), "/list")
    return [json.loads(page.body)[0]["id"] if page.status == 200 else page.status async for page in pages]


@pytest.mark.parametrize(("pages", "read"), [(1, [1]), (2, [1, 2]), (5, [1, 5, 4, 3, 2])])
async def test_a_listing_without_a_last_page_is_followed_to_its_end(
    impostor: Impostor, impostor_client: GitHubClient, pages: int, read: list[int]
) -> None:
    cursors(impostor, pages=pages)
    assert await from_the_end(impostor_client) == read


async def test_a_listing_without_a_last_page_ends_where_it_is_refused(
    impostor: Impostor, impostor_client: GitHubClient
) -> None:
    # A token and three pages are answered.
    cursors(impostor, pages=5, refused_from=4)
    assert await from_the_end(impostor_client) == [1, 404]
    cursors(impostor, pages=3, refused_from=len(impostor.asked) + 3)
    assert await from_the_end(impostor_client) == [1, 3, 404]


async def test_a_listing_without_a_last_page_or_an_end_is_given_up(
    impostor: Impostor, impostor_client: GitHubClient
) -> None:
    cursors(impostor, pages=0, endless=True)
    with pytest.raises(TemporaryFailureError, match=str(MOST_PAGES)):
        await from_the_end(impostor_client)
    assert len(impostor.asked) <= MOST_PAGES + 2
