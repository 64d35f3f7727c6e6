"""
The section about a million accounts: what the model tells of the emulator and of AWS, and curves.

    python -m benchmarks.million    with the settings of a stack; see __main__.py
"""

import os
import statistics
from collections.abc import Sequence
from itertools import groupby
from uuid import uuid4

from benchmarks.figures import Figure, table
from benchmarks.picture import picture
from benchmarks.run_calls import Billed, measure
from benchmarks.run_model import (
    MILLION,
    NEW_TABLE_WRITES,
    Aws,
    Outcome,
    Recorded,
    replay,
    simulate,
)
from local.stack import ROOT
from tests import resources

LANES = (1, 2, 3, 5, 8, 10, 15, 20, 26)
REPEATS, ALONE = 5, 100
"""Runs of one lane on the emulator, and their accounts."""
WORKERS, LARGE, SMALL, SMALL_ORGS = 4, 360, 8, 12
"""Functions that bill a large org and small ones on the emulator."""


def measure_and_simulate() -> str:
    """Write the section about a million accounts, and draw the pictures of docs/scale.md."""
    name = f"model-{uuid4().hex[:8]}"
    os.environ |= resources.settings(resources.create(name))
    single, listing = measure(f"{name}-one", [(ALONE, 1)] * REPEATS, 1)
    orgs = [(LARGE, 2), *[(SMALL, 1)] * SMALL_ORGS]
    shared, _ = measure(f"{name}-many", orgs, WORKERS)
    recorded = Recorded(single, listing)
    outcomes, faster, slower = (
        [Outcome.of(recorded, lanes, max(20_000, 3000 * lanes), growth=growth) for lanes in LANES]
        for growth in (1, 0, 2)
    )
    _draw(outcomes, slower, faster)
    return f"""## A million accounts, by the model

First the emulator: {REPEATS} runs of {ALONE} accounts; then one of {LARGE} in two lanes, and those
of {SMALL_ORGS} orgs of {SMALL} that are sent after it, billed by {WORKERS} processes. The model is
given the time that the emulator was at work in the same seconds, and that the processes waited for
a processor. In brackets: quartiles, and of the ratio the least and the most.

{_checked(single, shared)}
Then AWS, as others have published it: docs/scale.md. A transaction of a hundred writes is on the
line through those of 5 and of 25. In brackets: if the line rose twice as fast beyond 25, and if it
did not rise.

{_simulated(outcomes, slower, faster)}
{_goals(recorded, outcomes)}"""


def _draw(outcomes: Sequence[Outcome], *limits: Sequence[Outcome]) -> None:
    def curve(what: str, of: Sequence[Outcome] = outcomes) -> list[tuple[float, float]]:
        return [(each.lanes, getattr(each, what)) for each in of]

    groups = [list(some) for _, some in groupby(outcomes, lambda each: each.bottleneck)]
    bounds = [
        f"{some[0].bottleneck} ({some[0].lanes} to {some[-1].lanes} lanes)" for some in groups
    ]
    busiest = f"busiest: {', '.join(bounds)}"
    band = [curve("rate", each) for each in limits]
    rate = picture(
        "Accounts a second", busiest, {"by the model": curve("rate")}, MILLION / 1800, band
    )
    curves = {what: curve(what) for what in ("minutes", "dollars")}
    cost = picture("A million accounts", "by the model", curves, 30)
    (ROOT / "docs" / "scale-rate.svg").write_text(rate)
    (ROOT / "docs" / "scale-cost.svg").write_text(cost)


def _checked(single: Sequence[Billed], shared: Sequence[Billed]) -> str:
    """Write how near the model comes to the emulator."""
    began = min(each.began for each in shared)
    both = [[each.ended - began for each in shared], replay(shared, WORKERS)]
    accounts = sum(len(each.batch.account_ids) for each in shared)
    rates: dict[str, list[tuple[float, float]]] = {
        f"accounts a second, one lane, {REPEATS} times": [
            (ALONE / (each.ended - each.began), ALONE / replay([each], 1)[0]) for each in single
        ],
        f"accounts a second, {WORKERS} functions": [
            (accounts / max(both[0]), accounts / max(both[1]))
        ],
    }
    rows = []
    for what, pairs in rates.items():
        ratios = [told / measured for measured, told in pairs]
        met = abs(statistics.median(ratios) - 1) <= 0.25
        figures = [Figure.of(some) for some in zip(*pairs, strict=True)]
        texts = [each.text(0) if pairs[1:] else f"{each.median:.0f}" for each in figures]
        spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if pairs[1:] else ""
        ratio = f"{statistics.median(ratios):.2f}{spread}"
        rows.append([what, *texts, ratio, f"within 25%: {'met' if met else '**missed**'}"])
    parts = [[each / max(done[:2]) for each in sorted(done[2:])] for done in both]
    texts = [f"half {statistics.median(some):.2f}, last {some[-1]:.2f}" for some in parts]
    order = f"order of batches: {statistics.correlation(*both, method='ranked'):.2f}"
    rows.append(["small orgs done, of the large one's time", *texts, order, ""])
    return table(["", "emulator", "model", "model / emulator", "goal"], rows)


def _simulated(*outcomes: Sequence[Outcome]) -> str:
    rows = [
        [
            f"{each.lanes}",
            f"{each.rate:,.0f} ({slow.rate:,.0f} to {fast.rate:,.0f})",
            f"{each.minutes:.0f}",
            f"{each.dollars:.2f}",
            f"{each.bottleneck}, {each.busy:.0%}",
        ]
        for each, slow, fast in zip(*outcomes, strict=True)
    ]
    head = ["lanes", "accounts a second", "minutes for a million", "dollars", "busiest"]
    return table(head, rows)


def _goals(recorded: Recorded, outcomes: Sequence[Outcome]) -> str:
    one, ten = outcomes[0], outcomes[LANES.index(10)]
    new = Outcome.of(recorded, 10, MILLION // 10, ready=NEW_TABLE_WRITES, speed=10)
    _, runs = simulate(Aws(recorded), [(100_000, 10)] * 2 + [(200, 1)] * 300)
    large, small = (sorted(run.done_at for run in some) for some in (runs[:2], runs[2:]))
    rows: list[tuple[str, float, str]] = [
        ("accounts a second in one lane", one.rate, "≥ 120"),
        ("minutes for a million, 10 lanes", ten.minutes, "≤ 30"),
        ("the same with new tables", new.minutes, ""),
        ("2 orgs of 100,000 in ten lanes beside 300 of 200: seconds", large[-1], ""),
        ("for half of the small ones", statistics.median(small), ""),
        ("for all of the small ones", small[-1], "≤ 180"),
    ]
    return table(
        ["on AWS, by the model", "", "goal"],
        [[what, f"{value:.0f}", _verdict(value, goal)] for what, value, goal in rows],
    )


def _verdict(value: float, goal: str) -> str:
    limit = float(goal[2:] or 0)
    return Figure(value, 0, 0).verdict(limit, at_least=goal[0] == "≥") if goal else ""


if __name__ == "__main__":
    print(measure_and_simulate())
