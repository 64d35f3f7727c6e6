"""
Ten thousand writes of refunds that race for ten movements, and what the sums are then.

    make soak    (RACERS=100000 make soak for more)

Sixteen hands issue, replace and withdraw refunds of random amounts, more than fit, and send some
again, while a billing run closes cycles.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from billing.domain.refunds import RefundKey
from billing.persistence.refunds import RefundRepository
from tests.integration.conftest import Invoker
from tests.integration.ledger import amount, close_cycle, ledger
from tests.integration.test_refund_races import Hands, at_once

RACERS = int(os.environ.get("RACERS") or 10_000)
MOVEMENTS = 10
CLOSINGS = 5


def test_the_sums_agree_after_ten_thousand_racing_refunds(billed: Invoker) -> None:
    net = RACERS
    movements = [
        Hands(
            billed,
            external_movement_unique_id=f"movement-{number}",
            amount=amount(round(net * 1.21, 2), net),
        )
        for number in range(MOVEMENTS)
    ]
    draw, issued = random.Random(RACERS), dict[str, RefundKey]()
    actions: list[Callable[[], Any]] = [
        _anything(draw.choice(movements), number, draw, issued) for number in range(RACERS)
    ]
    for place in range(CLOSINGS):
        actions.insert(RACERS * place // CLOSINGS + 10, partial(close_cycle, billed.org_id))

    started = time.monotonic()
    answers = at_once(actions)
    took = time.monotonic() - started

    closed = [answer for answer in answers if hasattr(answer, "isoformat")]
    kept = ledger(billed.org_id, *closed)
    outcomes = Counter(
        type(answer).__name__ if isinstance(answer, Exception) else "done" for answer in answers
    )
    print(f"\n\n  {RACERS:,} writes in {took:.0f} s; {len(closed)} cycles closed meanwhile")
    for outcome, count in outcomes.most_common():
        print(f"    {count:>7,}  {outcome}")
    print(f"\n  {'movement':<34}{'charged':>12}{'refunded':>12}{'refunds':>9}{'their sum':>12}")
    for hands in movements:
        refunds = RefundRepository().list_page(hands.movement, None, RACERS)
        total = sum(refund.amount.gross.minor for refund in refunds)
        movement = hands.read()
        print(
            f"  {hands.movement.id:<34}{movement.amount.gross.major:>12}"
            f"{movement.refunded.major:>12}{len(refunds):>9}{total / 100:>12.2f}"
        )
        assert movement.refunded.minor == total <= movement.amount.gross.minor
    print(f"\n  The sums agree: {sum(kept.refunded.values()) / 100:,.2f} refunded in all.\n")


def _anything(
    hands: Hands, number: int, draw: random.Random, issued: dict[str, RefundKey]
) -> Callable[[], Any]:
    """Draw what a hand does; what it replaces, withdraws or sends again it finds when it is on."""
    net, choice, lucky = draw.randint(1, 50), draw.random(), draw.random()
    fields = {"amount": amount(round(net * 1.21, 2), net), "billable": lucky < 0.7}
    external_id = f"refund-{number}"

    def issue() -> Any:
        key, replayed = hands.issue(external_id, **fields)
        issued[external_id] = key
        return key, replayed

    def change() -> Any:
        mine = [each for each, key in list(issued.items()) if key.movement == hands.movement]
        if not mine:
            return issue()
        other = mine[int(lucky * len(mine))]
        if choice < 0.8:
            return hands.replace(issued[other], other, **fields)
        return hands.withdraw(issued.pop(other))

    return issue if choice < 0.6 else change
