"""Answers of GitHub's that another attempt doesn't change."""

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


class WriteRefusedError(Exception):
    """GitHub refuses what was to be written, as it stands (`422`): it doesn't understand it, or takes it for spam.

    Attributes:
        said: GitHub's own words; "" if it gave none.
    """

    def __init__(self, said: str) -> None:
        super().__init__(
            f"GitHub refuses what was to be written (422): {said or 'it does not say why'}. "
            "Look at the conversation and at the App's standing with GitHub, then have it sent again"
        )
        self.said = said
