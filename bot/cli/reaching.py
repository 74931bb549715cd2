"""Where the database is, and how it is told that it can't be used."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from bot.cli.failures import CommandError
from bot.settings import CommandSettings


def database_url(settings: CommandSettings) -> str:
    """Return the database's address. It may hold a password: it is passed on, never printed."""
    return settings.database_url.get_secret_value()


@contextmanager
def reaching_the_database(*, named_by: str = "DATABASE_URL") -> Iterator[None]:
    """Tell a database that can't be reached or entered as what a person can act on; the address isn't told.

    Args:
        named_by: where its address is given.

    Raises:
        CommandError: instead of the driver's error.
    """
    try:
        yield
    except (DBAPIError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        reason = " ".join(text.split()) or type(cause).__name__
        raise CommandError(
            f"The database can't be used: {reason}.", f"Check {named_by}, and that the database runs and lets us in."
        ) from error
