"""The settings, the only place where the environment is read."""

from bot.settings.findings import (
    ENVIRONMENT_FILE,
    Finding,
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
from bot.settings.formats import About
from bot.settings.model import CommandSettings, ServerSettings
from bot.settings.secrets_table import SECRETS, SecretFormat, is_placeholder

__all__ = [
    "ENVIRONMENT_FILE",
    "SECRETS",
    "About",
    "CommandSettings",
    "Finding",
    "SecretFormat",
    "ServerSettings",
    "SettingsError",
    "SettingsFileError",
    "Verdict",
    "descriptions",
    "examine",
    "is_placeholder",
    "read_settings",
    "read_settings_file",
    "secret_values",
    "settings_of",
]
