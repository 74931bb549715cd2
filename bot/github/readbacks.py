"""What handlers ask of GitHub. Nothing is guessed: an answer that isn't one is a temporary failure."""

from collections.abc import Collection
from http import HTTPStatus

from billing.commands import InstallationTruth, MarketplaceTruth
from billing.errors import CannotActError, TemporaryFailureError
from billing.values import GitHubAccountId, InstallationId, Permission
from bot.github.answers import InstallationFields, MarketplaceAccountFields, PermissionFields, PlanFields
from bot.github.client import GitHubClient, read_answer, read_listing
from bot.github.errors import InstallationGoneError, InstallationSuspendedError
from bot.github.identity import AppIdentity
from bot.github.transport import Answer


class GitHubReadBacks:
    """Implements `handlers.context.GitHub` over GitHub's API.

    Args:
        client: The App's client.
        identity: Who the App is.
        marketplace: Whether there is a Marketplace: GitHub Enterprise Server has none, and there every `404` would
            look like a lost plan.
        marketplace_plan_ids: The catalogue's plans as GitHub numbers them.
    """

    def __init__(
        self,
        client: GitHubClient,
        *,
        identity: AppIdentity,
        marketplace: bool,
        marketplace_plan_ids: Collection[int],
    ) -> None:
        self._client = client
        self._identity = identity
        self._marketplace = marketplace
        self._marketplace_plan_ids = frozenset(marketplace_plan_ids)

    async def marketplace_account(self, account_id: GitHubAccountId) -> MarketplaceTruth | None:
        """What the account has bought; None only if GitHub says that there is nothing, and shows that it can tell.

        Raises:
            TemporaryFailureError: GitHub doesn't answer, or what it answers says neither.
        """
        if not self._marketplace:
            raise RuntimeError("there is no Marketplace to ask; its deliveries have no handler")
        answer = await self._client.ask_as_app(
            "GET", "/marketplace_listing/accounts/{account_id}", {"account_id": str(account_id)}
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            await self._confirm_listing()
            return None
        truth = read_answer(MarketplaceAccountFields, _found(answer, "the account's plan")).truth(account_id)
        if truth is None:
            raise TemporaryFailureError("GitHub's answer doesn't tell the account's plan")
        return truth

    async def installation(self, installation_id: InstallationId) -> InstallationTruth | None:
        """The installation; None if GitHub says that it doesn't exist.

        Raises:
            TemporaryFailureError: GitHub doesn't answer, or what it answers says neither.
        """
        answer = await self._client.ask_as_app(
            "GET", "/app/installations/{installation_id}", {"installation_id": str(installation_id)}
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        truth = read_answer(InstallationFields, _found(answer, "the installation")).truth(installation_id)
        if truth is None:
            raise TemporaryFailureError("GitHub's answer is about another installation")
        return truth

    async def permission(
        self, installation_id: InstallationId, *, owner: str, repository: str, user_id: GitHubAccountId, login: str
    ) -> Permission:
        """What this user may do in the repository; nothing if GitHub has nobody or somebody else by this login.

        Raises:
            CannotActError: The installation is suspended or gone, or GitHub forbids it the question.
            TemporaryFailureError: GitHub doesn't answer, or what it answers says neither.
        """
        path = "/repos/{owner}/{repository}/collaborators/{login}/permission"
        variables = {"owner": owner, "repository": repository, "login": login}
        try:
            answer = await self._client.ask_as_installation(installation_id, "GET", path, variables)
        except (InstallationSuspendedError, InstallationGoneError) as error:
            raise CannotActError(str(error)) from error
        if answer.status == HTTPStatus.NOT_FOUND:
            return Permission.NONE
        if answer.status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS):
            # A suspension is also told so, to whoever has a token from before.
            raise CannotActError(f"GitHub forbids the installation to ask who may write ({answer.status})")
        fields = read_answer(PermissionFields, _found(answer, "somebody's permission"))
        if fields.permission is None:
            raise TemporaryFailureError("GitHub's answer doesn't tell the permission")
        return fields.of(user_id)

    async def app_slug(self) -> str:
        """The App's slug, as GitHub told it within the last minute.

        Raises:
            TemporaryFailureError: GitHub doesn't answer, or refuses our credentials.
        """
        return await self._identity.current()

    async def _confirm_listing(self) -> None:
        """Return if the App can see its listing with a plan of the catalogue, so that a `404` means what it says.

        An App without a listing, or with another one's credentials, gets a `404` for every account.

        Raises:
            TemporaryFailureError: It can't.
        """
        async for page in self._client.pages_as_app("/marketplace_listing/plans{?per_page}", {"per_page": "100"}):
            plans = read_listing(PlanFields, _found(page, "the listing's plans"))
            if any(plan.id in self._marketplace_plan_ids for plan in plans):
                return
        raise TemporaryFailureError("GitHub's listing shows no plan of the catalogue, so no account can have lost one")


def _found(answer: Answer, what: str) -> Answer:
    """Return the answer if it is a `200`.

    Raises:
        TemporaryFailureError: It isn't.
    """
    if answer.status == HTTPStatus.OK:
        return answer
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise TemporaryFailureError("GitHub refuses the App's token: check GITHUB_CLIENT_ID and GITHUB_PRIVATE_KEY")
    raise TemporaryFailureError(f"GitHub answered {answer.status} when asked for {what}")
