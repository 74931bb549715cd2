"""Answers of GitHub's after which an installation can't be acted for."""

from billing.values import InstallationId


class InstallationSuspendedError(Exception):
    """The installation is suspended: nothing may be sent to GitHub for it until it isn't any more."""

    def __init__(self, installation_id: InstallationId) -> None:
        super().__init__(f"installation {installation_id} is suspended")
        self.installation_id = installation_id


class InstallationGoneError(Exception):
    """The installation doesn't exist, or no longer."""

    def __init__(self, installation_id: InstallationId) -> None:
        super().__init__(f"installation {installation_id} doesn't exist")
        self.installation_id = installation_id
