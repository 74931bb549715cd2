"""What handlers are told of GitHub's answers: what it is, None where GitHub said so, or a temporary failure."""

from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.commands import GitHubAccount, InstallationTruth, MarketplaceTruth, PendingChange
from billing.errors import TemporaryFailureError
from billing.values import GitHubAccountId, InstallationId
from bot.github.client import GitHubClient
from bot.github.readbacks import GitHubReadBacks
from sandbox.clock import VirtualClock
from sandbox.github.exchange import Exchange
from sandbox.github.model import Plan
from sandbox.github.server import GitHubStandIn
from tests.bot.github.conftest import PLANS
from tests.bot.github.connecting import readbacks_of
from tests.bot.github.impostor import Impostor

ACCOUNTS = "/marketplace_listing/accounts/*"
INSTALLATIONS = "/app/installations/*"
PLANS_PATH = "/marketplace_listing/plans"


async def test_a_purchase_is_read(readbacks: GitHubReadBacks, github: GitHubStandIn) -> None:
    account = github.add_organization("octo-org", billing_day=15)
    github.buy(account, 1313)
    assert await readbacks.marketplace_account(GitHubAccountId(account.id)) == MarketplaceTruth(
        account=GitHubAccount(id=GitHubAccountId(account.id), login="octo-org", type="Organization"),
        marketplace_plan_id=1313,
        plan_name="Pro",
        per_unit=False,
        monthly_price_cents=59_900,
        yearly_price_cents=599_000,
        billing_cycle="monthly",
        unit_count=1,
        on_free_trial=False,
        free_trial_ends_on=None,
        next_billing_date=datetime(2026, 3, 15, tzinfo=UTC),
        pending=None,
    )


async def test_a_scheduled_downgrade_is_read(readbacks: GitHubReadBacks, github: GitHubStandIn) -> None:
    account = github.add_user("octocat", billing_day=15)
    github.buy(account, 1313)
    github.change(account, 1111)
    truth = await readbacks.marketplace_account(GitHubAccountId(account.id))
    assert truth is not None
    assert truth.marketplace_plan_id == 1313
    assert truth.pending == PendingChange(
        marketplace_plan_id=1111, plan_name="Free", unit_count=1, effective_at=datetime(2026, 3, 15, tzinfo=UTC)
    )


async def test_a_scheduled_end_has_no_plan(readbacks: GitHubReadBacks, github: GitHubStandIn) -> None:
    account = github.add_user("octocat", billing_day=15)
    github.buy(account, 1313)
    github.cancel(account)
    truth = await readbacks.marketplace_account(GitHubAccountId(account.id))
    assert truth is not None
    assert truth.pending == PendingChange(
        marketplace_plan_id=None, plan_name="", unit_count=None, effective_at=datetime(2026, 3, 15, tzinfo=UTC)
    )


async def test_no_purchase_is_confirmed_by_the_listing(
    readbacks: GitHubReadBacks, github: GitHubStandIn, exchanges: list[Exchange]
) -> None:
    account = github.add_user("octocat")
    assert await readbacks.marketplace_account(GitHubAccountId(account.id)) is None
    assert [each.path for each in exchanges] == [f"/marketplace_listing/accounts/{account.id}", PLANS_PATH]


async def test_the_listing_is_read_to_its_last_page(clock: VirtualClock) -> None:
    retired = [
        Plan(
            id=5000 + index,
            number=100 + index,
            name=f"Old {index}",
            description="",
            price_model="FREE",
            monthly_price_in_cents=0,
            yearly_price_in_cents=0,
            state="retired",
        )
        for index in range(250)
    ]
    exchanges: list[Exchange] = []
    async with (
        GitHubStandIn(clock, plans=retired, observers=[exchanges.append]) as github,
        GitHubClient.open(
            api_url=github.api_url, client_id=github.client_id, private_key=github.private_key_pem, clock=clock
        ) as client,
    ):
        of_ours = readbacks_of(client, clock, marketplace_plan_ids={5249})
        assert await of_ours.marketplace_account(GitHubAccountId(9)) is None
        assert [each.query for each in exchanges[1:]] == ["per_page=100", "per_page=100&page=2", "per_page=100&page=3"]

        of_others = readbacks_of(client, clock, marketplace_plan_ids={6000})
        with pytest.raises(TemporaryFailureError, match="no plan of the catalogue"):
            await of_others.marketplace_account(GitHubAccountId(9))


@pytest.mark.parametrize("path", [ACCOUNTS, PLANS_PATH])
@pytest.mark.parametrize("status", [400, 401, 403, 410, 422, 500, 502, 503])
async def test_no_other_answer_means_that_there_is_no_plan(
    readbacks: GitHubReadBacks, github: GitHubStandIn, path: str, status: int
) -> None:
    account = github.add_user("octocat")
    github.faults.fail(status, path=path, times=None)
    with pytest.raises(TemporaryFailureError, match=str(status) if status != 401 else "GITHUB_PRIVATE_KEY"):
        await readbacks.marketplace_account(GitHubAccountId(account.id))


async def test_a_listing_that_is_not_found_confirms_nothing(readbacks: GitHubReadBacks, github: GitHubStandIn) -> None:
    github.faults.fail(404, path=PLANS_PATH)
    with pytest.raises(TemporaryFailureError, match="404"):
        await readbacks.marketplace_account(GitHubAccountId(9))


@pytest.mark.parametrize("path", [ACCOUNTS, PLANS_PATH, INSTALLATIONS])
@pytest.mark.parametrize("fault", ["garble", "drop", "lose_answer", "limit"])
async def test_a_broken_answer_means_nothing(
    readbacks: GitHubReadBacks, github: GitHubStandIn, path: str, fault: str
) -> None:
    # Not only once: the HTTP client itself repeats a read whose connection broke.
    getattr(github.faults, fault)(path=path, times=None)
    asked: Coroutine[Any, Any, object] = readbacks.marketplace_account(GitHubAccountId(9))
    if path == INSTALLATIONS:
        asked.close()
        asked = readbacks.installation(InstallationId(5))
    with pytest.raises(TemporaryFailureError):
        await asked


async def test_without_a_marketplace_it_is_never_asked(
    client: GitHubClient, clock: VirtualClock, exchanges: list[Exchange]
) -> None:
    readbacks = readbacks_of(client, clock, marketplace_plan_ids=PLANS, marketplace=False)
    with pytest.raises(RuntimeError, match="no Marketplace"):
        await readbacks.marketplace_account(GitHubAccountId(9))
    assert exchanges == []


async def test_an_installation_is_read(readbacks: GitHubReadBacks, github: GitHubStandIn) -> None:
    account = github.add_organization("octo-org")
    installed = github.install(account, repositories=["one"])
    expected = InstallationTruth(
        installation_id=InstallationId(installed.id),
        account=GitHubAccount(id=GitHubAccountId(account.id), login="octo-org", type="Organization"),
        suspended=False,
        repository_selection="selected",
    )
    assert await readbacks.installation(InstallationId(installed.id)) == expected
    github.suspend(account)
    truth = await readbacks.installation(InstallationId(installed.id))
    assert truth is not None
    assert truth.suspended


async def test_an_installation_that_is_gone_is_none(readbacks: GitHubReadBacks, github: GitHubStandIn) -> None:
    account = github.add_user("octocat")
    installed = github.install(account)
    github.uninstall(account)
    assert await readbacks.installation(InstallationId(installed.id)) is None


@pytest.mark.parametrize("status", [400, 401, 403, 410, 422, 500])
async def test_no_other_answer_means_that_it_is_gone(
    readbacks: GitHubReadBacks, github: GitHubStandIn, status: int
) -> None:
    github.faults.fail(status, path=INSTALLATIONS, times=None)
    with pytest.raises(TemporaryFailureError):
        await readbacks.installation(InstallationId(5))


# Answers in forms that the stand-in doesn't send -----------------------------------------------------------------


@pytest.fixture
def of_impostor(impostor_client: GitHubClient, clock: VirtualClock) -> GitHubReadBacks:
    return readbacks_of(impostor_client, clock, marketplace_plan_ids=PLANS)


@pytest.mark.parametrize(
    ("spelling", "per_unit"),
    [
        ("PER_UNIT", True),
        ("per-unit", True),
        ("Per_Unit", True),
        ("flat-rate", False),
        ("FREE", False),
        ("free", False),
        ("BY_MOONLIGHT", False),
        (None, False),
        (7, False),
    ],
)
async def test_every_spelling_of_a_price_model_is_read(
    impostor: Impostor,
    of_impostor: GitHubReadBacks,
    spelling: Any,
    per_unit: bool,  # noqa: FBT001 -- what is expected
) -> None:
    impostor.say({"id": 9, "marketplace_purchase": {"plan": {"id": 5, "price_model": spelling}}})
    truth = await of_impostor.marketplace_account(GitHubAccountId(9))
    assert truth is not None
    assert truth.per_unit is per_unit


async def test_nulls_and_nonsense_beside_the_plan_are_left_out(
    impostor: Impostor, of_impostor: GitHubReadBacks
) -> None:
    purchase = {
        "plan": {"id": 5, "name": None, "monthly_price_in_cents": -1, "yearly_price_in_cents": "many"},
        "billing_cycle": None,
        "unit_count": None,
        "on_free_trial": "perhaps",
        "next_billing_date": "tomorrow",
        "free_trial_ends_on": "2026-03-20T00:00:00.000Z",
    }
    impostor.say({"id": 9, "login": None, "marketplace_purchase": purchase, "marketplace_pending_change": []})
    assert await of_impostor.marketplace_account(GitHubAccountId(9)) == MarketplaceTruth(
        account=GitHubAccount(id=GitHubAccountId(9), login="", type=""),
        marketplace_plan_id=5,
        plan_name="",
        per_unit=False,
        monthly_price_cents=0,
        yearly_price_cents=0,
        billing_cycle="",
        unit_count=None,
        on_free_trial=False,
        free_trial_ends_on=datetime(2026, 3, 20, tzinfo=UTC),
        next_billing_date=None,
        pending=None,
    )


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"id": 9},
        {"id": 9, "marketplace_purchase": None},
        {"id": 9, "marketplace_purchase": {"plan": None}},
        {"id": 9, "marketplace_purchase": {"plan": {"id": None}}},
        {"id": 9, "marketplace_purchase": {"plan": {"id": "5"}}},
        {"id": 9, "marketplace_purchase": {"plan": {"id": 0}}},
        {"id": 10, "marketplace_purchase": {"plan": {"id": 5}}},
    ],
)
async def test_an_answer_without_the_accounts_plan_is_a_temporary_failure(
    impostor: Impostor, of_impostor: GitHubReadBacks, answer: Any
) -> None:
    impostor.say(answer)
    with pytest.raises(TemporaryFailureError, match="doesn't tell"):
        await of_impostor.marketplace_account(GitHubAccountId(9))


@pytest.mark.parametrize("answer", [None, [], {}, {"id": 6}, {"id": "5"}])
async def test_an_answer_about_another_installation_is_a_temporary_failure(
    impostor: Impostor, of_impostor: GitHubReadBacks, answer: Any
) -> None:
    impostor.say(answer)
    with pytest.raises(TemporaryFailureError, match="another installation"):
        await of_impostor.installation(InstallationId(5))


@pytest.mark.parametrize(
    "answer", [{"id": 5}, {"id": 5, "account": None}, {"id": 5, "account": {"id": 7, "slug": "acme", "name": "Acme"}}]
)
async def test_an_installation_of_nobody_or_of_an_enterprise_has_no_account(
    impostor: Impostor, of_impostor: GitHubReadBacks, answer: Any
) -> None:
    impostor.say(answer)
    assert await of_impostor.installation(InstallationId(5)) == InstallationTruth(
        installation_id=InstallationId(5), account=None, suspended=False, repository_selection=""
    )
