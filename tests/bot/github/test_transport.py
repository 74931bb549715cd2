"""What a hostile or broken server on the way may answer. It is one of ours on loopback, since the stand-in behaves."""

import gzip

import pytest
from aiohttp import web

from billing.errors import TemporaryFailureError
from bot.github.answers import InstallationFields
from bot.github.client import GitHubClient, read_answer
from bot.github.transport import LARGEST_ANSWER_BYTES, Answer, is_same_server, read_http_date
from sandbox.clock import VirtualClock
from sandbox.github.keys import process_private_key
from tests.bot.github.impostor import Impostor, answering


async def test_the_api_may_be_a_bare_host(impostor: Impostor, impostor_client: GitHubClient) -> None:
    assert (await impostor_client.ask_as_app("GET", "/app/installations/{id}", {"id": "5"})).status == 200
    assert impostor.asked == ["/app/installations/5"]


async def test_an_answer_is_read_up_to_a_bound(impostor: Impostor, impostor_client: GitHubClient) -> None:
    impostor.answer = answering(lambda: web.Response(body=b" " * LARGEST_ANSWER_BYTES))
    assert len((await impostor_client.ask_as_app("GET", "/app")).body) == LARGEST_ANSWER_BYTES
    impostor.answer = answering(lambda: web.Response(body=b" " * (LARGEST_ANSWER_BYTES + 1)))
    with pytest.raises(TemporaryFailureError, match="larger"):
        await impostor_client.ask_as_app("GET", "/app")


async def test_an_answer_that_unpacks_to_more_is_refused(impostor: Impostor, impostor_client: GitHubClient) -> None:
    packed = gzip.compress(b" " * (LARGEST_ANSWER_BYTES * 4))
    impostor.answer = answering(lambda: web.Response(body=packed, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(TemporaryFailureError):
        await impostor_client.ask_as_app("GET", "/app")


async def test_an_answer_that_breaks_off_is_a_temporary_failure(
    impostor: Impostor, impostor_client: GitHubClient
) -> None:
    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    impostor.answer = break_off
    with pytest.raises(TemporaryFailureError, match="can't be reached"):
        await impostor_client.ask_as_app("GET", "/app")


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1:1/app", "https://127.0.0.1/app", "mailto:octo@example.com", "http://[/", "//other/app"],
)
async def test_a_redirect_to_another_server_is_not_followed(
    impostor: Impostor, impostor_client: GitHubClient, location: str
) -> None:
    impostor.answer = answering(lambda: web.Response(status=302, headers={"Location": location}))
    with pytest.raises(TemporaryFailureError, match="redirects"):
        await impostor_client.ask_as_app("GET", "/app")
    assert impostor.asked == ["/app"]


async def test_a_redirect_without_a_place_ends(impostor: Impostor, impostor_client: GitHubClient) -> None:
    impostor.answer = answering(lambda: web.Response(status=302))
    with pytest.raises(TemporaryFailureError, match="redirects"):
        await impostor_client.ask_as_app("GET", "/app")
    assert len(impostor.asked) <= 4


async def test_a_next_page_on_another_server_is_not_read(impostor: Impostor, impostor_client: GitHubClient) -> None:
    link = '<http://127.0.0.1:1/app?page=2>; rel="next"'
    impostor.answer = answering(lambda: web.json_response([], headers={"Link": link}))
    pages = impostor_client.pages_as_app("/app")
    assert (await anext(pages)).status == 200
    with pytest.raises(TemporaryFailureError, match="another server"):
        await anext(pages)
    assert impostor.asked == ["/app"]


async def test_pages_without_end_end(impostor: Impostor, impostor_client: GitHubClient) -> None:
    impostor.answer = answering(lambda: web.json_response([], headers={"Link": '</app>; rel="next"'}))
    with pytest.raises(TemporaryFailureError, match="pages"):
        async for _ in impostor_client.pages_as_app("/app"):
            pass
    assert len(impostor.asked) == 1000


async def test_a_page_that_is_refused_is_the_last(impostor: Impostor, impostor_client: GitHubClient) -> None:
    impostor.answer = answering(lambda: web.json_response({}, status=404, headers={"Link": '</app>; rel="next"'}))
    assert [page.status async for page in impostor_client.pages_as_app("/app")] == [404]


@pytest.mark.parametrize(
    "link", ["nonsense", '<http://[/>; rel="next"', ",;,;<", '</app>; rel="prev"', '<>; rel="next"']
)
async def test_no_link_header_makes_us_fail_otherwise(
    impostor: Impostor, impostor_client: GitHubClient, link: str
) -> None:
    impostor.answer = answering(lambda: web.json_response([], headers={"Link": link}))
    pages = impostor_client.pages_as_app("/app")
    try:
        assert (await anext(pages)).status == 200
    except TemporaryFailureError:
        assert "[" in link


async def test_nobody_there_is_a_temporary_failure(unused_tcp_port: int) -> None:
    async with GitHubClient.open(
        api_url=f"http://127.0.0.1:{unused_tcp_port}",
        client_id="Iv23liSandboxApp0001",
        private_key=process_private_key(),
        clock=VirtualClock(),
    ) as client:
        with pytest.raises(TemporaryFailureError, match="can't be reached"):
            await client.ask_as_app("GET", "/app")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff", b'{"id": '])
def test_an_answer_that_is_no_json_is_a_temporary_failure(body: bytes) -> None:
    with pytest.raises(TemporaryFailureError, match="no JSON"):
        read_answer(InstallationFields, Answer(status=200, headers={}, body=body))


def test_nothing_secret_is_printed() -> None:
    answer = Answer(status=200, headers={"Set-Cookie": "secret"}, body=b"secret", links={"next": "secret"})
    assert repr(answer) == "Answer(status=200)"


@pytest.mark.parametrize("text", [None, "", "soon", "Tue, 40 Mar 2026 12:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"])
def test_a_date_that_is_none_is_none(text: str | None) -> None:
    assert read_http_date(text) is None


def test_an_address_without_a_host_is_nobodys() -> None:
    assert is_same_server("https://api.github.com/a", "https://api.github.com:443/b")
    assert not is_same_server("https://api.github.com/a", "http://api.github.com/a")
    assert not is_same_server("https://api.github.com", "/relative")
    assert not is_same_server("https://api.github.com", "http://[/")
