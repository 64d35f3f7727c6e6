"""
A billing run of a million accounts on AWS, simulated: how long it takes by its lanes, and why.

What a run asks for is recorded from the code (run_calls.py). The simulation asks it of an AWS with
published latencies and limits. Asked of an emulator that takes what the real one took in the very
run that was recorded, it has to bill as fast as was measured.
"""

import heapq
import math
import random
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from itertools import chain, pairwise
from typing import Any, NamedTuple

import simpy

from benchmarks.run_calls import AHEAD, Billed, Call, Step
from billing.ahead import STEPS as PREPARED
from billing.domain.billing_runs import ACCOUNTS_TOGETHER, BATCH_ACCOUNTS, FEED_EVERY, MAX_WAITING
from billing.persistence.billing_runs import LISTED_AT_ONCE
from tools.costs import PRICES

type Events = Generator[Any, Any, Any]
type Spread = Sequence[tuple[float, float]]
"""Shares of calls, and the milliseconds that they take at most."""

MILLION = 1_000_000

# docs/scale.md says where these are from.
_SHARES = (0, 0.5, 0.9, 0.95, 0.99, 1)
ONE_ITEM = list(zip(_SHARES, (5.47, 7.55, 11.3, 13.2, 16.2, 29), strict=True))
OF_5_AND_25: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    "BatchGetItem": ((6.59, 8.14, 13.3, 15.4, 25.5, 56.8), (7.96, 10.2, 16, 18, 27.6, 76.4)),
    "TransactWriteItems": (
        (19.4, 25.3, 30.7, 36.4, 92.5, 218), (23.5, 32.1, 40.5, 47.2, 97.5, 258),
    ),
}  # fmt: skip
FIFO = [(0.1, 21.9), (0.5, 28.1), (0.9, 61.2), (0.99, 645.0)]
STANDARD = [(0.1, 13.7), (0.5, 16.2), (0.9, 33.8), (0.99, 105.0)]
START = [(0.0, 100.0), (1.0, 1000.0)]
FUNCTIONS_AT_FIRST, FUNCTIONS_A_SECOND = 5, 5
PARTITION_READS, PARTITION_WRITES, NEW_TABLE_WRITES, DOUBLES_IN = 3000, 1000, 4000, 1800
MESSAGES = 120_000
FUNCTIONS, LISTERS, MEMORY_GB, WARM_WRITES = 50, 10, 1769 / 1024, 32_000
"""Of template.yaml; and the warm throughput that docs/scale.md asks for."""
OF_A_LANE = ("index due", "index owed", "partition number")
"""What has a partition for each lane; the partitions of other names are the org's."""


def drawn(spread: Spread, dice: random.Random) -> float:
    """Draw seconds, growing by the same factor all the way from one published share to the next."""
    at = dice.random()
    for (low, fast), (high, slow) in pairwise(spread):
        if at <= high:
            growth: float = (slow / fast) ** (max(0.0, at - low) / (high - low))
            return fast * growth / 1000
    return spread[-1][1] / 1000


class Recorded:
    """Steps by their names, and how much more of the processor's time than theirs was used."""

    def __init__(self, billed: Sequence[Billed], listing: Iterable[Step] = ()) -> None:
        self.steps: dict[str, list[Step]] = defaultdict(list)
        of_billing = [step for each in billed for step in each.steps]
        for step in chain(of_billing, listing):
            if step.calls or step.name != "open_journal":  # asks before the first accounts only
                self.steps[step.name].append(step)
        noted = sum(step.cpu + sum(call.cpu for call in step.calls) for step in of_billing)
        self.more_cpu = sum(each.cpu for each in billed) / noted


class World:
    """Where steps are taken; here, messages and starts of functions take no time."""

    is_shared = False
    """Whether others use the processors too."""

    def __init__(self, recorded: Recorded, functions: int) -> None:
        self.env, self.dice = simpy.Environment(), random.Random(1)
        self.recorded, self.functions = recorded, functions

    def functions_now(self) -> float:
        return self.functions

    def seconds(self, _: Spread) -> float:
        return 0.0

    def answer(self, step: str, calls: Sequence[Call], org: str, lane: int) -> Events:
        """Wait for calls that are made at once."""
        raise NotImplementedError

    def take(self, name: str, cpu: simpy.Resource, org: str, lane: int = 0) -> Events:
        """Take a step as it was recorded once."""
        step = self.dice.choice(self.recorded.steps[name])
        yield from self.compute(step.cpu, cpu, step.waited)
        at_once = [step.calls] if name in ("gather", "list_due") else [[c] for c in step.calls]
        for calls in at_once:
            waited = max(call.waited for call in calls)
            yield from self.compute(sum(call.cpu for call in calls), cpu, waited)
            yield from self.answer(name, calls, org, lane)

    def compute(self, seconds: float, cpu: simpy.Resource, waited: float) -> Events:
        """Use the function's processor; wait as long as that was busy with something else."""
        if self.is_shared:
            yield self.env.timeout(waited)
        with cpu.request() as turn:
            yield turn
            yield self.env.timeout(seconds * self.recorded.more_cpu)


class Emulator(World):
    """Answers one call after the other, each in the time that such a call took."""

    is_shared = True

    def __init__(self, recorded: Recorded, functions: int, took: dict[tuple[str, str], float]):
        super().__init__(recorded, functions)
        self.loop, self.took = simpy.Resource(self.env), took

    def answer(self, step: str, calls: Sequence[Call], *_: Any) -> Events:
        for call in calls:
            with self.loop.request() as turn:
                yield turn
                yield self.env.timeout(self.took[step, call.operation])


class Limit:
    """What takes so many units a second, and lets more wait."""

    def __init__(self) -> None:
        self.free_at = self.busy = 0.0

    def take(self, seconds: float, now: float) -> float:
        """Return how long something has to wait that takes all of it for some seconds."""
        self.free_at, self.busy = max(self.free_at, now) + seconds, self.busy + seconds
        return max(0.0, self.free_at - now - 1)  # the units of a second may come at once


class Aws(World):
    """Answers all calls at once, as far as its limits go."""

    def __init__(
        self, recorded: Recorded, *, growth: float = 1, ready: int = WARM_WRITES, speed: int = 1
    ) -> None:
        super().__init__(recorded, FUNCTIONS)
        self.growth, self.ready, self.speed = growth, ready, speed
        self.limits: dict[tuple[str, str, int], Limit] = defaultdict(Limit)
        self.used: dict[str, float] = defaultdict(float)

    def functions_now(self) -> float:
        now: float = self.env.now
        return min(self.functions, FUNCTIONS_AT_FIRST + FUNCTIONS_A_SECOND * now)

    def seconds(self, spread: Spread) -> float:
        return drawn(spread, self.dice)

    def answer(self, _: str, calls: Sequence[Call], org: str, lane: int) -> Events:
        yield self.env.timeout(max(self.wait(each, org, lane) for each in calls))

    def wait(self, call: Call, org: str, lane: int) -> float:
        """Return how long a call lasts, which takes its units of all limits."""
        waits, now = [0.0], self.env.now
        writes = call.operation == "TransactWriteItems"
        of_partition = PARTITION_WRITES if writes else PARTITION_READS
        of_table = self.ready * 2 ** (now * self.speed / DOUBLES_IN)
        for name, units in call.units.items():
            if "partition" not in name:  # a table or an index, that all orgs share
                waits.append(self.limits[name, "", 0].take(units / of_table, now))
                self.used["DynamoDB write unit"] += units
            if name in OF_A_LANE or "partition" in name:
                place = f"{name} of one", org, lane if name in OF_A_LANE else -1
                waits.append(self.limits[place].take(units / of_partition, now))
        self.used["DynamoDB read unit"] += 0 if writes else call.items
        spread: Spread = ONE_ITEM
        if call.operation in OF_5_AND_25:
            few, many = OF_5_AND_25[call.operation]
            more = max(0.0, call.items - 5) / 20
            more = min(1.0, more) + self.growth * max(0.0, more - 1)
            of_items = [low + more * (high - low) for low, high in zip(few, many, strict=True)]
            spread = list(zip(_SHARES, of_items, strict=True))
        return max(waits) + self.seconds(spread)


class Queue:
    """The queue of batches, and the functions that bill them: one at a time in each group."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.groups: dict[tuple[str, int], deque[tuple[int, int, Callable[[], None]]]] = (
            defaultdict(deque)
        )
        """By org and lane: the number of each message, its accounts, and what to call then."""
        self.ready: list[tuple[int, tuple[str, int]]] = []
        self.sent = self.done = self.most_waiting = self.busy = self.started = 0
        self.seconds = self.in_line = 0.0
        """Seconds of functions, and those in which lanes issued documents."""

    def send(self, org: str, lane: int, accounts: int, done: Callable[[], None]) -> None:
        self.sent += 1
        self.most_waiting = max(self.most_waiting, self.sent - self.done)
        self.groups[org, lane].append((self.sent, accounts, done))
        if len(self.groups[org, lane]) == 1:
            heapq.heappush(self.ready, (self.sent, (org, lane)))
        self.deliver()

    def deliver(self) -> None:
        while self.ready and self.busy < self.world.functions_now():
            self.busy += 1
            self.world.env.process(self._bill(*heapq.heappop(self.ready)[1]))

    def _bill(self, org: str, lane: int) -> Events:
        env, group = self.world.env, self.groups[org, lane]
        yield env.timeout(self.world.seconds(FIFO))
        began = env.now
        if self.busy > self.started:
            self.started += 1
            yield env.timeout(self.world.seconds(START))
        yield from self._parts(org, lane, math.ceil(group[0][1] / ACCOUNTS_TOGETHER))
        self.seconds += env.now - began
        self.busy, self.done = self.busy - 1, self.done + 1
        _, _, done = group.popleft()
        if group:
            heapq.heappush(self.ready, (group[0][0], (org, lane)))
        done()
        self.deliver()

    def _parts(self, org: str, lane: int, parts: int) -> Events:
        """Issue for ten accounts after the other; the next ones are prepared meanwhile."""
        env, cpu = self.world.env, simpy.Resource(self.world.env)
        threads, ready = simpy.Resource(env, PREPARED), [env.event() for _ in range(parts)]

        def prepare(part: int) -> Events:
            with threads.request() as turn:
                yield turn
                for name in AHEAD:
                    yield from self.world.take(name, cpu, org, lane)
            ready[part].succeed()

        for part in range(parts):
            for ahead in range(part + PREPARED if part else 0, min(part + PREPARED + 1, parts)):
                env.process(prepare(ahead))
            yield ready[part]
            began = env.now
            for name in ("open_journal", "draft", "write")[part > 0 :]:
                yield from self.world.take(name, cpu, org, lane)
            self.in_line += env.now - began
        yield from self.world.take("finish", cpu, org, lane)


class Run:
    """A run: it lists its accounts in batches, and sends so many of them as may wait."""

    def __init__(self, queue: Queue, listers: simpy.Resource, org: str, accounts: int, lanes: int):
        self.queue, self.listers, self.org, self.accounts = queue, listers, org, accounts
        of_lane = math.ceil(accounts / lanes)
        sizes = [min(BATCH_ACCOUNTS, of_lane - n) for n in range(0, of_lane, BATCH_ACCOUNTS)]
        self.batches = [(lane, size) for size in sizes for lane in range(lanes)]
        self.listed_at = self.done_at = 0.0
        self.sent = self.done = 0

    def list_accounts(self) -> Events:
        """List all accounts, unless that is done, and send batches."""
        world, cpu = self.queue.world, simpy.Resource(self.queue.world.env)
        with self.listers.request() as turn:
            yield turn
            yield world.env.timeout(world.seconds(STANDARD))
            for _ in range(0 if self.listed_at else math.ceil(self.accounts / LISTED_AT_ONCE)):
                for name in ("get", "list_due", "add_batches"):
                    yield from world.take(name, cpu, self.org)
            self.listed_at = self.listed_at or world.env.now
            while more := self.batches[self.sent : min(self.sent + 100, self.done + MAX_WAITING)]:
                self.sent += len(more)
                for name in ("get", "list_unsent", "mark_sent"):
                    yield from world.take(name, cpu, self.org)
                for lane, accounts in more:
                    self.queue.send(self.org, lane, accounts, self.count)

    def count(self) -> None:
        self.done, self.done_at = self.done + 1, self.queue.world.env.now
        if self.done % FEED_EVERY == 0 and self.sent < len(self.batches):
            self.queue.world.env.process(self.list_accounts())


def simulate(world: Aws, orgs: Iterable[tuple[int, int]]) -> tuple[Queue, list[Run]]:
    """Play runs of orgs with so many accounts and lanes, that begin at once."""
    queue, listers = Queue(world), simpy.Resource(world.env, LISTERS)
    runs = [Run(queue, listers, f"org {number}", *org) for number, org in enumerate(orgs)]
    for run in runs:
        world.env.process(run.list_accounts())
    while any(run.done < len(run.batches) for run in runs):
        world.env.run(until=world.env.now + 1)
        queue.deliver()  # to functions that there are more of every second
    return queue, runs


def replay(billed: Sequence[Billed], functions: int) -> list[float]:
    """
    Return when batches are billed by the model, where the emulator takes what it took with them.

    All seconds in which its loop was at work are divided among the calls. The shortest waits for
    each kind of call are those where nothing else was asked: they give the proportion.
    """
    waits: dict[tuple[str, str], list[float]] = defaultdict(list)
    for step, call in [(s, c) for each in billed for s in each.steps for c in s.calls]:
        waits[step.name, call.operation].append(max(1e-5, call.seconds - call.cpu - call.waited))
    alone = {kind: sorted(some)[len(some) // 10] for kind, some in waits.items()}
    took = max(each.emulator[1] for each in billed) - min(each.emulator[0] for each in billed)
    scale = took / sum(alone[kind] * len(some) for kind, some in waits.items())
    times = {kind: each * scale for kind, each in alone.items()}
    queue, ended = Queue(Emulator(Recorded(billed), functions, times)), [0.0] * len(billed)

    def note(place: int) -> None:
        ended[place] = queue.world.env.now

    for place, each in enumerate(billed):
        lane, accounts = ord(each.batch.lane.letter), len(each.batch.account_ids)
        queue.send(each.batch.org_id, lane, accounts, partial(note, place))
    queue.world.env.run()
    return ended


class Outcome(NamedTuple):
    """What a run comes to; the minutes and dollars are those of a million accounts."""

    lanes: int
    rate: float
    minutes: float
    dollars: float
    bottleneck: str
    busy: float
    """The part of the time in which the bottleneck was."""

    @classmethod
    def of(cls, recorded: Recorded, lanes: int, accounts: int, **aws: Any) -> "Outcome":
        world = Aws(recorded, **aws)
        queue, [run] = simulate(world, [(accounts, lanes)])
        took = run.done_at - run.listed_at
        limits = sorted(world.limits.items(), key=lambda each: each[1].busy)
        busy = {name: limit.busy / took for (name, *_), limit in limits}  # of the busiest one
        busy["line of a lane"] = queue.in_line / lanes / took
        busy["functions"] = queue.seconds / FUNCTIONS / took
        busy["messages that are looked at"] = queue.most_waiting / MESSAGES
        world.used["Lambda request"], world.used["SQS request"] = queue.sent, 3 * queue.sent
        price = {**world.used, "Lambda GB-second (arm64)": queue.seconds * MEMORY_GB}
        dollars = sum(PRICES[name] * units for name, units in price.items())
        minutes, most = run.done_at / 60, max(busy, key=lambda name: busy[name])
        scale = MILLION / accounts
        return cls(lanes, accounts / took, minutes * scale, dollars * scale, most, busy[most])
