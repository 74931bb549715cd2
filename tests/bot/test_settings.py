"""Settings fail closed: with one line that names the setting and the way out, and never tells a value."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bot.settings import (
    SECRETS,
    CommandSettings,
    ServerSettings,
    SettingsError,
    SettingsFileError,
    Verdict,
    descriptions,
    examine,
    read_settings,
    read_settings_file,
    secret_values,
    settings_of,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption).decode()


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = pem_of(RSA_KEY, NoEncryption())

GOOD = {
    "PUBLIC_URL": "https://billing.example.com",
    "GITHUB_APP_ID": "12345",
    "GITHUB_CLIENT_ID": "Iv23liAbCdEfGhIjKlMn",
    "GITHUB_CLIENT_SECRET": "0123456789abcdef0123456789abcdef01234567",
    "GITHUB_PRIVATE_KEY": PEM,
    "GITHUB_WEBHOOK_SECRET": "app-hook-secret-0123456789",
    "GITHUB_MARKETPLACE_WEBHOOK_SECRET": "listing-hook-secret-0123456789",
    "SESSION_SECRET": "f00dfeed" * 8,
}
SIGNING_KEY = base64.b64encode(bytes(range(32))).decode()
PLACEHOLDERS = (
    "",
    " ",
    "changeme",
    "CHANGE-ME",
    "your-secret-goes-right-here",
    "your_value",
    "xxx",
    "XXXXXXXX",
    "<paste it here>",
)


def refusal_of(changes: dict[str, str | None]) -> SettingsError:
    """What is said when a right set of settings is changed so; None takes a setting away."""
    values = {name: text for name, text in (GOOD | changes).items() if text is not None}
    with pytest.raises(SettingsError) as refusal:
        settings_of(ServerSettings, values)
    return refusal.value


def test_a_right_set_is_taken() -> None:
    settings = settings_of(ServerSettings, GOOD)

    assert settings.github_app_id == 12345
    assert settings.github_private_key.get_secret_value() == PEM
    assert [secret.get_secret_value() for secret in settings.github_webhook_secret] == ["app-hook-secret-0123456789"]
    assert settings.database_url.get_secret_value() == "sqlite+aiosqlite:///var/tallyhook.db"
    assert (settings.host, settings.port, settings.retention_days) == ("127.0.0.1", 8000, 90)


def test_commands_need_none_of_what_the_server_needs() -> None:
    settings = settings_of(CommandSettings, {})

    assert (settings.plans_file, settings.log_level, settings.log_format) == (Path("plans.toml"), "info", "json")


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_required_one_is_never_missing_nor_a_placeholder(name: str) -> None:
    for text in (None, *PLACEHOLDERS):
        refusal = refusal_of({name: text})

        assert [finding.name for finding in refusal.findings] == [name]
        assert str(refusal).startswith(f"{name} is ")
        assert descriptions()[name].way in str(refusal)
        assert "\n" not in str(refusal)


@pytest.mark.parametrize("name", sorted(descriptions().keys() - GOOD.keys()))
def test_an_optional_one_may_be_blank_but_no_placeholder(name: str) -> None:
    settings_of(ServerSettings, GOOD | {name: ""})

    for text in (placeholder for placeholder in PLACEHOLDERS if placeholder):
        assert name in {finding.name for finding in refusal_of({name: text}).findings}


SECRET_WORD = "hunter2hunter"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("GITHUB_APP_ID", SECRET_WORD, "malformed"),
        ("GITHUB_APP_ID", "0", "malformed"),
        ("GITHUB_CLIENT_ID", "a b", "letters"),
        ("GITHUB_CLIENT_SECRET", SECRET_WORD, "13 characters and needs at least 20"),
        ("GITHUB_CLIENT_SECRET", f"{SECRET_WORD} {SECRET_WORD}", "characters that it can't have"),
        ("GITHUB_WEBHOOK_SECRET", SECRET_WORD, "13 characters and needs at least 20"),
        ("GITHUB_WEBHOOK_SECRET", f"{SECRET_WORD}{SECRET_WORD},{SECRET_WORD}", "number 2 has 13 characters"),
        ("GITHUB_WEBHOOK_SECRET", f"{SECRET_WORD}{SECRET_WORD},", "number 2 is blank"),
        ("GITHUB_WEBHOOK_SECRET", f"{SECRET_WORD}{SECRET_WORD}ü", "characters that it can't have"),
        ("GITHUB_MARKETPLACE_WEBHOOK_SECRET", SECRET_WORD, "13 characters and needs at least 20"),
        ("SESSION_SECRET", SECRET_WORD * 4, "52 characters and needs at least 64"),
        ("GITHUB_PRIVATE_KEY", SECRET_WORD, "neither PEM text"),
        ("GITHUB_PRIVATE_KEY", f"/var/\0{SECRET_WORD}", "neither PEM text"),
        ("PUBLIC_URL", f"http://{SECRET_WORD}.example.com", "http is for loopback only"),
        ("PUBLIC_URL", f"https://{SECRET_WORD}.example.com/path", "no path"),
        ("PUBLIC_URL", f"{SECRET_WORD}.example.com", "https://"),
        ("PUBLIC_URL", f"https://{SECRET_WORD}:70000", "well-formed"),
        ("PUBLIC_URL", f"https://<{SECRET_WORD}>", "characters"),
        ("GITHUB_API_URL", f"http://{SECRET_WORD}.example.com/api/v3", "http would send secrets readable"),
        ("PUBLIC_URL", f"https://{SECRET_WORD}!.example.com", "host"),
        ("PUBLIC_URL", f"https://example.com/#{SECRET_WORD}", "fragment"),
        ("GITHUB_API_URL", "http://10.0.0.7/api/v3", "http would send secrets readable"),
        ("GITHUB_API_URL", f"https://api.github.com?{SECRET_WORD}", "query"),
        ("GITHUB_API_URL", f"https://user:{SECRET_WORD}@api.github.com", "password"),
        ("GITHUB_WEB_URL", f"ftp://{SECRET_WORD}", "https://"),
        ("GITHUB_MARKETPLACE", SECRET_WORD, "auto, on or off"),
        ("GITHUB_FORWARD_URL", f"http://{SECRET_WORD}.example.com/hook", "one's own network only"),
        ("GITHUB_FORWARD_URL", "https://billing.example.com/webhooks/github", "leads back"),
        ("GITHUB_FORWARD_URL", "https://Billing.example.com:443/webhooks/github", "leads back"),
        ("GITHUB_FORWARD_URL", "http://127.0.0.1:8000/webhooks/github", "leads back"),
        ("GITHUB_FORWARD_URL", "http://localhost:8000/webhooks/github/marketplace", "leads back"),
        ("ALERT_WEBHOOK_URL", f"http://{SECRET_WORD}.example.com/hook", "one's own network only"),
        ("ALERT_EMAIL", SECRET_WORD, "e-mail address"),
        ("ALERT_EMAIL", "ops@example.com", "no SMTP_URL"),
        ("SMTP_URL", f"https://{SECRET_WORD}", "smtp://"),
        ("SMTP_URL", f"smtp://{SECRET_WORD}@mail.example.com", "both a user name and a password"),
        ("SMTP_URL", f"smtp://mail.example.com/{SECRET_WORD}", "end after the port"),
        ("MAIL_FROM", SECRET_WORD, "e-mail address"),
        ("DATABASE_URL", f"mysql://user:{SECRET_WORD}@host/name", "sqlite+aiosqlite:/// or postgresql://"),
        ("DATABASE_URL", SECRET_WORD, "sqlite+aiosqlite:/// or postgresql://"),
        ("DATABASE_URL", f"postgresql://user:{SECRET_WORD}@host", "name the database"),
        ("DATABASE_URL", f"postgresql://user:{SECRET_WORD}@host/name?sslmode=maybe", "sslmode"),
        ("DATABASE_URL", "sqlite://", "plain file"),
        ("DATABASE_URL", "sqlite:///:memory:", "plain file"),
        ("PORT", "65536", "0 to 65535"),
        ("RETENTION_DAYS", "0", "1 to 3650"),
        ("LOG_LEVEL", SECRET_WORD, "debug, info"),
        ("LOG_FORMAT", SECRET_WORD, "json or console"),
    ],
)  # fmt: skip
def test_a_malformed_one_is_named_with_the_reason_and_without_its_value(name: str, text: str, reason: str) -> None:
    refusal = refusal_of({name: text})

    line = str(refusal)
    assert line.startswith(f"{name} ")
    assert reason in line
    assert descriptions()[name].way in line
    assert "\n" not in line
    assert SECRET_WORD not in line
    assert refusal.__cause__ is None
    assert refusal.__suppress_context__


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("cut off", "cut off"),
        ("a long word", "neither PEM text"),
        ("public", "public key"),
        ("a certificate", "certificate"),
        ("locked", "passphrase"),
        ("of a curve", "not an RSA key"),
        ("short", "1024 bits and needs at least 2048"),
    ],
)
def test_a_key_that_is_none_is_named_with_the_reason(kind: str, reason: str) -> None:
    text = {
        "cut off": PEM[: len(PEM) // 2],
        "a long word": SECRET_WORD * 1000,
        "public": RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "a certificate": PEM.replace("RSA PRIVATE KEY", "CERTIFICATE"),
        "locked": pem_of(RSA_KEY, BestAvailableEncryption(b"passphrase")),
        "of a curve": pem_of(ec.generate_private_key(ec.SECP256R1()), NoEncryption()),
        "short": pem_of(rsa.generate_private_key(65537, 1024), NoEncryption()),  # noqa: S505 - it is to be refused
    }[kind]

    line = str(refusal_of({"GITHUB_PRIVATE_KEY": text}))

    assert line.startswith("GITHUB_PRIVATE_KEY ")
    assert reason in line
    assert "\n" not in line
    assert text[40:60] not in line


def test_mail_needs_a_sender() -> None:
    line = str(refusal_of({"SMTP_URL": "smtp://localhost"}))

    assert line.startswith("MAIL_FROM is missing, and mail needs a sender")


def test_of_several_faults_the_line_tells_all_names() -> None:
    refusal = refusal_of({"PORT": "x", "SESSION_SECRET": None})

    assert str(refusal).startswith("PORT is malformed")
    assert str(refusal).endswith("(also wrong: SESSION_SECRET)")


def test_no_secret_is_shown_by_the_object() -> None:
    secrets = GOOD | {
        "DATABASE_URL": "postgresql://user:database-password@host/name",
        "SMTP_URL": "smtp://user:mail-password@mail.example.com:587",
        "MAIL_FROM": "Billing <billing@example.com>",
        "ALERT_WEBHOOK_URL": "https://chat.example.com/hooks/chat-token",
        "GITHUB_FORWARD_URL": "http://app:3000/hook/forward-token",
        "LEDGER_SIGNING_KEY": SIGNING_KEY,
    }
    settings = settings_of(ServerSettings, secrets)

    shown = repr(settings) + str(settings)
    for name in SECRETS:
        assert secrets[name] not in shown
    for word in ("database-password", "mail-password", "chat-token", "forward-token", "BEGIN"):
        assert word not in shown
        assert any(word in value for value in secret_values(settings))


@pytest.mark.parametrize("shape", ["text", "escaped", "windows", "base64", "wrapped base64", "path"])
def test_a_private_key_comes_in_three_shapes(shape: str, tmp_path: Path) -> None:
    file = tmp_path / "app.pem"
    file.write_text(PEM)
    encoded = base64.b64encode(PEM.encode()).decode()
    text = {
        "text": PEM,
        "escaped": PEM.replace("\n", "\\n"),
        "windows": PEM.replace("\n", "\r\n"),
        "base64": encoded,
        "wrapped base64": "\n".join(encoded[start : start + 76] for start in range(0, len(encoded), 76)),
        "path": str(file),
    }[shape]

    settings = settings_of(ServerSettings, GOOD | {"GITHUB_PRIVATE_KEY": text})

    assert settings.github_private_key.get_secret_value() == PEM


def ed25519_pem(key: ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("shape", ["base64", "wrapped", "text", "escaped", "windows"])
def test_a_signing_key_comes_in_two_shapes(shape: str) -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    pem = ed25519_pem(key)
    text = {
        "base64": SIGNING_KEY,
        "wrapped": f"{SIGNING_KEY[:20]}\n {SIGNING_KEY[20:]}",
        "text": pem,
        "escaped": pem.replace("\n", "\\n"),
        "windows": pem.replace("\n", "\r\n"),
    }[shape]

    settings = settings_of(CommandSettings, {"LEDGER_SIGNING_KEY": text})

    assert [each.get_secret_value() for each in settings.ledger_signing_key] == [SIGNING_KEY]


def test_of_several_signing_keys_each_is_taken_in_order() -> None:
    other = base64.b64encode(bytes(32)).decode()

    settings = settings_of(CommandSettings, {"LEDGER_SIGNING_KEY": f"{other} , {SIGNING_KEY}"})

    assert [each.get_secret_value() for each in settings.ledger_signing_key] == [other, SIGNING_KEY]
    assert settings_of(CommandSettings, {}).ledger_signing_key == ()


LOCKED_KEY = ed25519.Ed25519PrivateKey.generate().private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"words")
)
PUBLIC_KEY = (
    ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no key at all", "neither base64 nor PEM text"),
        (base64.b64encode(bytes(31)).decode(), "has 31 bytes and needs 32"),
        (f"{SIGNING_KEY},", "number 2 has 0 bytes"),
        (f"{SIGNING_KEY},{SIGNING_KEY}x", "number 2 is neither base64"),
        (PEM, "is a key of another kind than Ed25519"),
        (LOCKED_KEY.decode(), "is protected by a passphrase"),
        (PUBLIC_KEY.decode(), "is a public key"),
        ("-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n", "can't be read as a key"),
    ],
)
def test_what_is_no_signing_key_is_refused_without_repeating_it(text: str, reason: str) -> None:
    line = str(refusal_of({"LEDGER_SIGNING_KEY": text}))

    assert line.startswith("LEDGER_SIGNING_KEY ")
    assert reason in line
    assert "openssl rand -base64 32" in line
    assert "\n" not in line
    assert text[30:60] not in line or not text[30:60]


@pytest.mark.parametrize("name", ["GITHUB_FORWARD_URL", "ALERT_WEBHOOK_URL"])
@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:3000/hook", "http://localhost/hook", "http://[::1]/hook", "http://10.1.2.3/hook", "http://app:3000/hook",
     "http://app.default.svc.cluster.local/hook", "https://app.example.com/hook?a=b"],
)  # fmt: skip
def test_within_ones_own_network_http_will_do(name: str, address: str) -> None:
    settings_of(ServerSettings, GOOD | {name: address})


@pytest.mark.parametrize(
    ("api", "choice", "there_is_one"),
    [
        ("https://api.github.com", "auto", True),
        ("https://api.github.com/", "auto", True),
        ("https://github.example.com/api/v3", "auto", False),
        ("http://127.0.0.1:4000", "auto", False),
        ("http://127.0.0.1:4000", "ON", True),
        ("https://api.github.com", "off", False),
    ],
)
def test_whether_there_is_a_marketplace(api: str, choice: str, *, there_is_one: bool) -> None:
    settings = settings_of(ServerSettings, GOOD | {"GITHUB_API_URL": api, "GITHUB_MARKETPLACE": choice})

    assert settings.has_marketplace is there_is_one


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, {"credits"}),
        ("", {"credits"}),
        ("credits", {"credits"}),
        ("Credits, PLAN,help", {"credits", "plan", "help"}),
        ("help,help", {"help"}),
        ("none", set()),
    ],
)
def test_slash_commands_are_words_of_ours_or_none(text: str | None, words: set[str]) -> None:
    values = GOOD if text is None else GOOD | {"SLASH_COMMANDS": text}
    assert settings_of(ServerSettings, values).slash_commands == words


@pytest.mark.parametrize("text", ["usage", "credits,none", ",", "credits;plan", "/credits"])
def test_other_words_are_no_slash_commands(text: str) -> None:
    assert "must name words out of credits, plan, help, or be none" in str(refusal_of({"SLASH_COMMANDS": text}))


def test_spaces_around_values_are_nobodys_intention() -> None:
    settings = settings_of(
        ServerSettings,
        GOOD | {"GITHUB_WEBHOOK_SECRET": f" {'a' * 20} , {'b' * 20}\n", "SESSION_SECRET": f"{'s1' * 32}\n"},
    )

    assert [secret.get_secret_value() for secret in settings.github_webhook_secret] == ["a" * 20, "b" * 20]
    assert settings.session_secret.get_secret_value() == "s1" * 32


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("LOG_LEVEL=debug\nLOG_FORMAT=console\n# a comment\nUNKNOWN=1\n")
    monkeypatch.setenv("LOG_LEVEL", "error")
    monkeypatch.setenv("LOG_FORMAT", "")

    settings = read_settings(CommandSettings, environment_file=file)
    findings = {finding.name: finding.verdict for finding in examine(environment_file=file)}

    assert (settings.log_level, settings.log_format) == ("error", "console")
    assert (findings["LOG_LEVEL"], findings["LOG_FORMAT"]) == (Verdict.OK, Verdict.OK)


def test_examining_tells_of_every_setting() -> None:
    findings = examine(GOOD | {"PORT": "x", "GITHUB_WEBHOOK_SECRET": f"{'a' * 20},{'b' * 30}"})

    by_name = {finding.name: finding for finding in findings}
    assert list(by_name) == list(descriptions())
    assert by_name["PORT"].verdict is Verdict.ERROR
    assert by_name["SMTP_URL"].verdict is Verdict.WARNING
    assert by_name["LEDGER_SIGNING_KEY"].verdict is Verdict.WARNING
    assert "openssl rand -base64 32" in by_name["LEDGER_SIGNING_KEY"].text
    assert by_name["HOST"].verdict is Verdict.DEFAULT
    assert by_name["GITHUB_WEBHOOK_SECRET"].verdict is Verdict.OK
    assert by_name["GITHUB_WEBHOOK_SECRET"].text == "is well formed (20 and 30 characters)"
    assert not any(text in finding.text for finding in findings for text in GOOD.values())


def test_a_file_may_be_lines_or_a_cluster_secret(tmp_path: Path) -> None:
    lines = tmp_path / "lines.env"
    lines.write_text("".join(f"{name}='{text}'\n" for name, text in GOOD.items()))
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in GOOD.items()}
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"apiVersion": "v1", "kind": "Secret", "data": encoded}))
    several = tmp_path / "list.json"
    several.write_text(
        json.dumps(
            {
                "kind": "List",
                "items": [{"data": encoded | {"PORT": ""}}, {"data": None, "stringData": {"PORT": "9000"}}, {}],
            }
        )
    )

    for file, port in ((lines, 8000), (secret, 8000), (several, 9000)):
        settings = settings_of(ServerSettings, read_settings_file(file))
        assert settings.github_private_key.get_secret_value() == PEM
        assert settings.port == port


@pytest.mark.parametrize(
    "content",
    [b"{", b'{"data": {"A": "not base64!"}}', b'{"data": [1]}', b'{"data": {"A": 5}}', b'{"data": {"A": "/w=="}}',
     b'{"kind": "List"}', b'{"kind": "List", "items": [1]}', b"\xff\xfe"],
)  # fmt: skip
def test_a_file_that_is_neither_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)

    with pytest.raises(SettingsFileError) as refusal:
        read_settings_file(file)

    assert "\n" not in str(refusal.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsFileError, match="absent"):
        read_settings_file(tmp_path / "absent")


def test_a_file_that_may_not_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    # Under root nothing is forbidden, but a file in place of a directory is an error of the system's as well.
    file = tmp_path / "app.pem"
    file.write_text("no key")

    for path in (file, file / "below", tmp_path):
        assert "neither PEM text" in str(refusal_of({"GITHUB_PRIVATE_KEY": str(path)}))


def test_the_document_tells_every_setting_and_every_secret_format() -> None:
    document = DOCUMENT.read_text()
    for name, about in descriptions().items():
        for text in (f"`{name}`", about.meaning, about.format):
            assert text in document, f"docs/settings.md lacks {text!r} of {name}"
    for secret in SECRETS.values():
        assert f"| `{secret.name}` | {secret.format} | {secret.least_length} {secret.unit} | {secret.way} |" in document


@pytest.mark.parametrize(
    ("text", "is_on"), [("true", True), ("on", True), ("1", True), ("false", False), ("OFF", False), ("no", False)]
)
def test_the_kill_switch_understands_what_people_write(text: str, *, is_on: bool) -> None:
    assert settings_of(CommandSettings, {"BILLING_ENABLED": text}).billing_enabled is is_on


@pytest.mark.parametrize("text", ["2", "disabled", "fals"])
def test_the_kill_switch_is_never_guessed_at(text: str) -> None:
    assert str(refusal_of({"BILLING_ENABLED": text})).startswith("BILLING_ENABLED is malformed: it is true or false; ")


def test_billing_is_on_unless_it_is_switched_off() -> None:
    assert settings_of(CommandSettings, {}).billing_enabled
    assert settings_of(CommandSettings, {"BILLING_ENABLED": ""}).billing_enabled
