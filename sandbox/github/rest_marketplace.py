"""REST routes of the Marketplace listing, and of accounts."""

from aiohttp import web

from sandbox.github import shapes
from sandbox.github.errors import ApiError, not_found
from sandbox.github.model import Account
from sandbox.github.rest_app import require_app
from sandbox.github.rest_middleware import API_VERSION_HEADER, API_VERSIONS, LIMITER, credential_of
from sandbox.github.rest_paging import page_of
from sandbox.github.state import GitHubState


class MarketplaceRoutes:
    """What `/marketplace_listing` answers, to the App only: an installation's token doesn't open it."""

    def __init__(self, state: GitHubState) -> None:
        """Remember the state."""
        self._state = state

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        app.add_routes(
            [
                web.get("/marketplace_listing/plans", self.list_plans),
                web.get(r"/marketplace_listing/plans/{id:\d+}/accounts", self.list_accounts),
                web.get(r"/marketplace_listing/accounts/{id:\d+}", self.get_account),
            ]
        )

    async def list_plans(self, request: web.Request) -> web.Response:
        """Answer `GET /marketplace_listing/plans`, retired ones included."""
        require_app(request, self._state)
        plans = sorted(self._state.plans.values(), key=lambda plan: plan.number)
        page, headers = page_of(request, self._state, plans, path="/marketplace_listing/plans")
        return web.json_response([shapes.plan(self._state, plan) for plan in page], headers=headers)

    async def list_accounts(self, request: web.Request) -> web.Response:
        """Answer `GET /marketplace_listing/plans/{id}/accounts`."""
        require_app(request, self._state)
        plan = self._state.plans.get(int(request.match_info["id"]))
        if plan is None:
            raise not_found()
        sort, direction = request.query.get("sort", "created"), request.query.get("direction", "asc")
        if sort not in {"created", "updated"} or direction not in {"asc", "desc"}:
            raise ApiError(422, "Validation Failed", errors=[{"resource": "Query", "field": "sort", "code": "invalid"}])
        visible = [self._state.visible_purchase(account_id) for account_id in list(self._state.purchases)]
        bought = [purchase for purchase in visible if purchase is not None and purchase.terms.plan is plan]
        bought.sort(
            key=lambda purchase: (
                purchase.created_at if sort == "created" else purchase.updated_at,
                purchase.account.id,
            ),
            reverse=direction == "desc",
        )
        page, headers = page_of(request, self._state, bought, path=f"/marketplace_listing/plans/{plan.id}/accounts")
        return web.json_response([shapes.purchase(self._state, purchase) for purchase in page], headers=headers)

    async def get_account(self, request: web.Request) -> web.Response:
        """Answer `GET /marketplace_listing/accounts/{id}`; 404 means that nothing is bought."""
        require_app(request, self._state)
        purchase = self._state.visible_purchase(int(request.match_info["id"]))
        if purchase is None:
            raise not_found()
        return web.json_response(shapes.purchase(self._state, purchase))


class AccountRoutes:
    """What `/users`, `/user/{id}` and `/rate_limit` answer, to anybody."""

    def __init__(self, state: GitHubState) -> None:
        """Remember the state."""
        self._state = state

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        app.add_routes(
            [
                web.get("/users/{login}", self.get_by_login),
                web.get(r"/user/{id:\d+}", self.get_by_id),
                web.get("/rate_limit", self.get_limits),
            ]
        )

    async def get_by_login(self, request: web.Request) -> web.Response:
        """Answer `GET /users/{username}`."""
        return self._profile(self._state.find_login(request.match_info["login"]))

    async def get_by_id(self, request: web.Request) -> web.Response:
        """Answer `GET /user/{account_id}`."""
        return self._profile(self._state.find_id(int(request.match_info["id"])))

    async def get_limits(self, request: web.Request) -> web.Response:
        """Answer `GET /rate_limit`, which costs nothing; the newer API version dropped the doubled numbers."""
        numbers = request.config_dict[LIMITER].numbers(credential_of(request))
        body: dict[str, object] = {"resources": {"core": numbers, "search": numbers}}
        if request.headers.get(API_VERSION_HEADER, API_VERSIONS[0]) == API_VERSIONS[0]:
            body["rate"] = numbers
        return web.json_response(body)

    def _profile(self, account: Account | None) -> web.Response:
        """Answer with an account."""
        if account is None:
            raise not_found()
        return web.json_response(shapes.public_user(self._state, account))
