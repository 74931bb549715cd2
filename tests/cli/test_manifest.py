"""`app.yml`: what the App asks for, and how a wrong manifest is refused."""

import json
from pathlib import Path

import pytest

from bot.cli.failures import CommandError
from bot.cli.manifest import manifest_path, read_manifest
from tests.arch.tree import ROOT

SOUND = {
    "url": "${PUBLIC_URL}",
    "hook_attributes": {"url": "${PUBLIC_URL}/hook"},
    "default_permissions": {"issues": "write"},
    "default_events": ["issue_comment"],
}


def test_the_app_asks_for_the_least_that_it_needs() -> None:
    manifest = read_manifest(ROOT / "app.yml", public_url="https://billing.example.com/")

    assert manifest.permissions == {"issues": "write", "metadata": "read", "pull_requests": "write"}
    assert manifest.events == {"installation_target", "issue_comment", "pull_request"}
    assert manifest.hook_url == "https://billing.example.com/webhooks/github"
    assert manifest.fields["setup_url"] == "https://billing.example.com/setup"
    assert manifest.fields["callback_urls"] == ["https://billing.example.com/oauth/callback"]
    assert manifest.fields["public"] is True
    assert manifest.fields["request_oauth_on_install"] is False
    assert "$" not in json.dumps(manifest.fields)


def test_an_address_cannot_bend_the_manifest(tmp_path: Path) -> None:
    path = tmp_path / "app.yml"
    path.write_text(json.dumps(SOUND))

    manifest = read_manifest(path, public_url='https://x.example"\npublic: false #')

    assert manifest.fields["url"] == 'https://x.example"\npublic: false #'
    assert "public" not in manifest.fields


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": None}, "url is missing"),
        ({"hook_attributes": {}}, "hook_attributes.url is missing"),
        ({"hook_attributes": {"url": "https://x", "secret": "s"}}, "secret must go"),
        ({"default_permissions": ["issues"]}, "names and levels"),
        ({"default_events": "issue_comment"}, "list of names"),
        ({"default_events": ["marketplace_purchase"]}, "the listing's own webhook"),
        ({"callback_urls": ["https://x"] * 11}, "10 addresses"),
    ],
)
def test_a_wrong_manifest_is_refused_by_name(tmp_path: Path, change: dict[str, object], words: str) -> None:
    path = tmp_path / "app.yml"
    path.write_text(json.dumps(SOUND | change))

    with pytest.raises(CommandError) as refused:
        read_manifest(path, public_url="https://x.example")

    assert words in refused.value.what
    assert str(path) in refused.value.what


@pytest.mark.parametrize("text", ["- a list", "just text", "{unclosed", "\x00"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "app.yml"
    path.write_text(text)

    with pytest.raises(CommandError):
        read_manifest(path, public_url="https://x.example")


def test_the_program_brings_its_manifest_along() -> None:
    assert manifest_path() == ROOT / "app.yml"
