"""What a setting is: what people have to know of it, and how its text is taken apart, checked and normalized."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

from pydantic import AfterValidator, SecretStr

from billing.values import Word
from bot.settings.addresses import mail_address, web_address
from bot.settings.secrets_table import SECRETS, SecretFormat, fault_of

NO_WORDS: Final = "none"
"""In a setting that lists words. A blank setting counts as absent, so it can't say this."""
_MAILBOX: Final = re.compile(r"[^@\s<>,;:\"()\[\]\\]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_NAMED_MAILBOX: Final = re.compile(rf'("[^"\r\n]*"|[^"<>@,;:\r\n]*)\s*<{_MAILBOX.pattern}>')
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What people have to know about a setting.

    Attributes:
        meaning: what it is for.
        format: what it looks like.
        way: how to get a right value.
    """

    meaning: str
    format: str
    way: str


class ContradictionError(ValueError):
    """Two settings don't go together. `name` is the one to change."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name = name


def about_secret(name: str, meaning: str) -> About:
    """Return what people have to know about a secret; its format stands in the one table of secrets."""
    secret = SECRETS[name]
    return About(
        meaning=meaning, format=f"{secret.format}; at least {secret.least_length} {secret.unit}", way=secret.way
    )


def checked(secret: SecretFormat, value: SecretStr) -> SecretStr:
    """Return the value, if it is well formed.

    Raises:
        ValueError: it isn't.
    """
    if fault := fault_of(secret, value.get_secret_value()):
        raise ValueError(fault)
    return value


def each_checked(secret: SecretFormat, values: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """Return the values, if all are well formed.

    Raises:
        ValueError: one isn't; of several its number is told.
    """
    for number, value in enumerate(values, start=1):
        if fault := fault_of(secret, value.get_secret_value()):
            raise ValueError(fault if len(values) == 1 else f"number {number} {fault}")
    return values


def each_inside(change: Callable[[str], str], values: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """Check and normalize what is inside of each secret text.

    Raises:
        ValueError: one can't be; of several its number is told.
    """
    changed: list[SecretStr] = []
    for number, value in enumerate(values, start=1):
        try:
            changed.append(SecretStr(change(value.get_secret_value())))
        except ValueError as fault:
            raise ValueError(str(fault) if len(values) == 1 else f"number {number} {fault}") from None
    return tuple(changed)


def split_by_commas(value: object) -> object:
    """Take a text that lists several apart."""
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _mailbox(text: str) -> str:
    if _MAILBOX.fullmatch(text) is None and _NAMED_MAILBOX.fullmatch(text) is None:
        raise ValueError("must be an e-mail address, alone or in angle brackets behind a name")
    return text


def words_of(words: frozenset[str]) -> frozenset[str]:
    """Return the words that people can write, or none.

    Raises:
        ValueError: there is no such word.
    """
    if words == {NO_WORDS}:
        return frozenset()
    if not words <= set(Word):
        raise ValueError(f"must name words out of {', '.join(Word)}, or be {NO_WORDS}")
    return words


def client_id(text: str) -> str:
    """Return the id, if it looks like one.

    Raises:
        ValueError: it doesn't.
    """
    if _CLIENT_ID.fullmatch(text) is None:
        raise ValueError("must be 8 to 100 letters, digits, dots, dashes and underscores")
    return text


def inside(change: Any) -> AfterValidator:  # noqa: ANN401 - a function from text to text
    """Check and normalize what is inside of a secret text."""
    return AfterValidator(lambda value: SecretStr(change(value.get_secret_value())))


def lower(value: object) -> object:
    """Return a text in lower case."""
    return value.lower() if isinstance(value, str) else value


HookAddress = Annotated[SecretStr, inside(partial(web_address, plain_inside=True))]
MailServer = Annotated[SecretStr, inside(mail_address)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
