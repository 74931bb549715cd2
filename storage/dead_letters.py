"""Alarms for what has failed too often: one a kind of event or topic, over when none of it is dead any more."""

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from billing.ports import Alarm, Recovery
from storage.alarms import raise_alarms, recover
from storage.deliveries import DeliveryState
from storage.effects import EffectState
from storage.statements import register
from storage.tables import PENDING, RECEIVED, billing_events, effects
from storage.transactions import Transaction

DELIVERY_ALARM = "delivery_dead"
EFFECT_ALARM = "effect_dead"

ANY_DEAD_DELIVERY = register(
    "dead_letters.any_delivery",
    select(billing_events.c.id)
    .where(
        billing_events.c.state != RECEIVED,
        billing_events.c.state == DeliveryState.DEAD,
        billing_events.c.event == bindparam("wanted_event"),
    )
    .limit(1),
)
ANY_DEAD_EFFECT = register(
    "dead_letters.any_effect",
    select(effects.c.id)
    .where(
        effects.c.state != PENDING, effects.c.state == EffectState.DEAD, effects.c.topic == bindparam("wanted_topic")
    )
    .limit(1),
)


def deliveries_died(transaction: Transaction, dead: Iterable[tuple[int, str]], now: int) -> None:
    """Raise the alarms for deliveries, by id and event, that are dead now. Time in milliseconds."""
    raise_alarms(transaction, [_delivery_alarm(delivery_id, event) for delivery_id, event in dead], now)


def _delivery_alarm(delivery_id: int, event: str) -> Alarm:
    detail = (
        f"delivery {delivery_id} could not be handled: see `tallyhook deliveries show {delivery_id}`, "
        f"then `tallyhook deliveries replay {delivery_id}`"
    )
    return Alarm(kind=DELIVERY_ALARM, subject=event, detail=detail)


def effect_died(transaction: Transaction, effect_id: int, topic: str, now: int) -> None:
    """Raise the alarm for an effect that is dead now. Time in milliseconds."""
    detail = (
        f"effect {effect_id} could not be sent: see `tallyhook effects show {effect_id}`, "
        f"then `tallyhook effects retry {effect_id}`"
    )
    raise_alarms(transaction, [Alarm(kind=EFFECT_ALARM, subject=topic, detail=detail)], now)


def recover_deliveries(transaction: Transaction, events: Iterable[str], now: int) -> None:
    """End the alarm of those events of which no delivery is dead any more."""
    over = [
        Recovery(kind=DELIVERY_ALARM, subject=event)
        for event in sorted(events)
        if transaction.execute(ANY_DEAD_DELIVERY, {"wanted_event": event}).first() is None
    ]
    recover(transaction, over, now)


def recover_effects(transaction: Transaction, topics: Iterable[str], now: int) -> None:
    """End the alarm of those topics of which no effect is dead any more."""
    over = [
        Recovery(kind=EFFECT_ALARM, subject=topic)
        for topic in sorted(topics)
        if transaction.execute(ANY_DEAD_EFFECT, {"wanted_topic": topic}).first() is None
    ]
    recover(transaction, over, now)
