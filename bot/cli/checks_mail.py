"""What `doctor` asks of the mail server: whether it lets us in. Nothing is sent."""

from typing import Final

import aiosmtplib

from bot.cli.checks import Check, failed, ok, skipped
from bot.mail import MailServer
from bot.settings import ServerSettings

TIMEOUT_SECONDS: Final = 15.0


async def check_mail(settings: ServerSettings) -> Check:
    """Return whether the mail server can be reached and entered."""
    if settings.smtp_url is None:
        return skipped("mail", "SMTP_URL is absent: no mail is sent")
    server = MailServer.from_url(settings.smtp_url.get_secret_value())
    try:
        async with aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.use_tls,
            start_tls=server.start_tls,
            timeout=TIMEOUT_SECONDS,
        ):
            return ok("mail", f"{server.host} lets us in")
    except aiosmtplib.SMTPAuthenticationError as error:
        return failed("mail", f"{server.host} refuses our name ({error.code})", "Check user and password in SMTP_URL.")
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        # The error's own text may repeat addresses.
        text = f"{server.host} can't be talked to ({type(error).__name__})"
        return failed("mail", text, "Check host and port in SMTP_URL, and that the way there is open.")
