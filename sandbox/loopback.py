"""The fence around the sandbox: it listens on loopback, and it sends to loopback, and nowhere else."""

import ipaddress
from urllib.parse import urlsplit


class NotLoopbackError(ValueError):
    """An address was given to the sandbox that other machines can reach.

    Attributes:
        address: The host as it was given.
    """

    def __init__(self, address: str) -> None:
        """Name the refused address."""
        super().__init__(
            f"the sandbox speaks to this machine only: {address!r} isn't a loopback address "
            "(use 127.0.0.1, ::1 or localhost)"
        )
        self.address = address


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine.

    Names other than localhost aren't looked up, because a name can be made to mean anything.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback_host(host: str) -> str:
    """Return the host.

    Raises:
        NotLoopbackError: It isn't this machine.
    """
    if not is_loopback(host):
        raise NotLoopbackError(host)
    return host


def require_loopback_url(url: str) -> str:
    """Return the address.

    Raises:
        NotLoopbackError: Its host isn't this machine, or it has none.
    """
    host = urlsplit(url).hostname
    if host is None:
        raise NotLoopbackError(url)
    require_loopback_host(host)
    return url
