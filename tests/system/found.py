"""Histories that once ended wrongly. Each is played again every time, before any new one."""

from typing import Final

from tests.system.history import Bring, Cut, Do, History

FOUND: Final[tuple[History, ...]] = (
    # The word that the installation is gone is lost; only a later installation tells.
    [
        Do(who=0, act="install", meanwhile=Do(who=0, act="uninstall", mail="held")),
        Cut(at="statement", after=0),
        Bring(seed=0),
    ],
    # The cancellation takes effect while GitHub's answer, which still shows the plan, is on its way.
    [
        Do(who=0, act="buy", plan="Pro"),
        Do(who=0, act="cancel"),
        Do(who=0, act="cancel", eve=True),
    ],
    # An old delivery tells an old login, when GitHub can't be asked any more.
    [
        Do(who=0, act="install", mail="held"),
        Do(who=0, act="rename", meanwhile=Do(who=0, act="uninstall")),
        Bring(seed=0),
    ],
    # The plan is first seen by an answer from before the billing date, on which it became a smaller one.
    [
        Do(who=0, act="buy", plan="Pro", mail="held"),
        Do(who=0, act="change", plan="Team", eve=True),
    ],
)
