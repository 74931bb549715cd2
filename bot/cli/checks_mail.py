"""What `doctor` asks of the mail server: whether it lets us in. Nothing is sent."""

from typing import Final
from urllib.parse import unquote, urlsplit

from bot.cli.checks import Check, failed, ok, skipped
from bot.settings import ServerSettings

TIMEOUT_SECONDS: Final = 15.0


async def check_mail(settings: ServerSettings) -> Check:
    """Return whether the mail server can be reached and entered."""
    import aiosmtplib

    if settings.smtp_url is None:
        return skipped("mail", "SMTP_URL is absent: no mail is sent")
    parts = urlsplit(settings.smtp_url.get_secret_value())
    implicit_tls = parts.scheme == "smtps"
    try:
        async with aiosmtplib.SMTP(
            hostname=parts.hostname or "",
            port=parts.port or (465 if implicit_tls else 587),
            use_tls=implicit_tls,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            timeout=TIMEOUT_SECONDS,
        ):
            return ok("mail", f"{parts.hostname} lets us in")
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        reason = type(error).__name__
        return failed(
            "mail", f"{parts.hostname} doesn't let us in ({reason})", "Check SMTP_URL: host, port, user, password."
        )
