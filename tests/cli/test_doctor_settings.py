"""`doctor --settings-only`: formats and lengths, offline, of the environment, a file or a Kubernetes secret."""

import base64
import json
import re
import socket
from pathlib import Path

import pytest

from bot.settings import descriptions, settings_of
from bot.settings.model import ServerSettings
from sandbox.github.keys import process_private_key
from tests.arch.tree import ROOT
from tests.cli.running import invoke

SOUND = {
    "PUBLIC_URL": "https://billing.example.com",
    "GITHUB_APP_ID": "12345",
    "GITHUB_CLIENT_ID": "Iv23liAbCdEfGhIjKlMn",
    "GITHUB_CLIENT_SECRET": "c" * 40,
    "GITHUB_PRIVATE_KEY": base64.b64encode(process_private_key().encode()).decode(),
    "GITHUB_WEBHOOK_SECRET": f"{'a' * 64},{'b' * 64}",
    "GITHUB_MARKETPLACE_WEBHOOK_SECRET": "m" * 64,
    "SESSION_SECRET": "s" * 64,
    # Nobody listens there: what would ask it would fail.
    "DATABASE_URL": "postgresql://nobody:hidden-password@127.0.0.1:9/none",
}


def test_sound_settings_pass_without_touching_anything(tmp_path: Path) -> None:
    ended = invoke("doctor", "--settings-only", "--json", settings=SOUND)

    checks = {check["check"]: check for check in json.loads(ended.stdout)}
    assert (ended.code, ended.stderr) == (0, "")
    assert list(checks) == [f"settings.{name}" for name in descriptions()]
    assert {name: check["verdict"] for name, check in checks.items() if check["verdict"] != "ok"} == {
        "settings.LEDGER_SIGNING_KEY": "warning",
        "settings.SMTP_URL": "warning",
    }
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("GITHUB_WEBHOOK_SECRET", "too-short-a-secret", "has 18 characters and needs at least 20"),
        ("GITHUB_WEBHOOK_SECRET", "changeme", "placeholder"),
        ("SESSION_SECRET", "s" * 63, "openssl rand -hex 32"),
        ("PUBLIC_URL", "billing.example.com", "https://"),
        ("GITHUB_PRIVATE_KEY", "no-key", "Private keys"),
        ("GITHUB_APP_ID", "", "is missing"),
    ],
)
def test_a_wrong_one_fails_by_name_and_never_by_value(name: str, value: str, words: str) -> None:
    ended = invoke("doctor", "--settings-only", settings=SOUND | {name: value})

    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("failed")]
    assert ended.code == 1
    assert f"settings.{name}" in line
    assert words in line
    assert " -> " in line
    assert not value or len(value) < 12 or value not in ended.stdout


@pytest.mark.parametrize("form", ["lines", "secret", "list"])
def test_a_file_is_checked_instead_of_the_environment(tmp_path: Path, form: str) -> None:
    secret = {
        "kind": "Secret",
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in SOUND.items()},
    }
    text = {
        "lines": "".join(f"{name}={value}\n" for name, value in SOUND.items()),
        "secret": json.dumps(secret),
        "list": json.dumps({"kind": "List", "items": [secret]}),
    }[form]
    (tmp_path / "file").write_text(text)

    ended = invoke("doctor", "--settings-only", "--file", "file")

    assert ended.code == 0, ended.stdout
    lines = {line.split()[1]: line.partition("  is ")[2] for line in ended.stdout.splitlines() if "settings." in line}
    assert lines["settings.RETENTION_DAYS"] == "absent; its default holds"
    assert lines["settings.GITHUB_FORWARD_URL"] == "absent, and needn't be there"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--settings-only", "--file", "absent"), 1, "can't be read"),
        (("--settings-only", "--file", "broken"), 1, "kubectl get secret"),
        (("--file", "broken"), 2, "--settings-only"),
    ],
)
def test_a_file_that_cannot_be_checked_is_told(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "broken").write_text("{broken")

    ended = invoke("doctor", *arguments)

    assert ended.code == code
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_example_file_holds_no_value_that_passes() -> None:
    ended = invoke("doctor", "--settings-only", "--file", str(ROOT / ".env.example"), "--json")

    required = {name for name, field in ServerSettings.model_fields.items() if field.is_required()}
    failed = {check["check"] for check in json.loads(ended.stdout) if check["verdict"] == "failed"}
    assert failed == {f"settings.{name.upper()}" for name in required}


def test_the_example_file_names_every_setting() -> None:
    named = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert named == set(descriptions())


def test_the_sound_settings_of_these_tests_are_sound() -> None:
    assert settings_of(ServerSettings, SOUND).github_app_id == 12345
    # Sockets of these tests reach this machine only, and nothing listens at port 9.
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 9)) != 0
