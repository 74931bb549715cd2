"""Who acts, as far as the command line can tell."""

import getpass


def actor_name(given: str) -> str:
    """Return the name to note: the one that was given, else the machine's user."""
    if given:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a user id that has no name.
        return "operator"
