"""Which faults strike when. Pure: the same seed gives the same plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple

Kind = Literal["kill", "pause", "terminate", "slow", "cut", "hang", "clock", "full", "scale"]
SIGNS: Mapping[Kind, str] = {
    "kill": "SIGKILL",
    "pause": "SIGSTOP",
    "terminate": "SIGTERM",
    "slow": "slow network to",
    "cut": "no network to",
    "hang": "half-open network to",
    "clock": "clock step of",
    "full": "disk full for",
    "scale": "another number of",
}
SUPERVISOR = "supervisor"
BROKERS = ("broker", "broker-2", "broker-3")
REACHED = (*BROKERS, "warehouse")
"""What roles reach over a network."""
CLOCKS = ("ingest", "processor-1", "processor-2", "sink-1", "sink-2", "notifier-1", "dashboard")
DISKS = ("processor-1", "processor-2", "broker-2", "ingest")
"""Not the warehouse: where its files cannot grow, ClickHouse's engine may merge parts into one that is cut off."""
STEPS_MS = (-600_000, -30_000, 30_000, 600_000)
NETS: tuple[Kind, ...] = ("slow", "cut", "hang")
SLOW_MS = (20, 300)
LARGEST_FILE = 4096
NUMBERS = (1, 2, 3, 4)
"""How many processors or sinks there may be; two, unless a fault says otherwise."""


class Fault(NamedTuple):
    """One fault: `at_s` seconds after the start, on one or several instances (`broker,broker-2`).

    What is not over at once lasts `seconds`. `amount` is the clock's step in ms, the network's delay in ms, the number
    of processes, the size in bytes past which no file may grow.
    """

    at_s: float
    kind: Kind
    target: str
    seconds: float = 0.0
    amount: int = 0

    @property
    def targets(self) -> list[str]:
        """Everything that it strikes."""
        return self.target.split(",")

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        how = {"clock": f" by {self.amount:+,} ms", "slow": f" by {self.amount} ms", "scale": f": {self.amount}"}
        return f"{self.at_s:7.1f} s  {SIGNS[self.kind]} {self.target}{how.get(self.kind, '')}{lasting}"


class Appetite(NamedTuple):
    """How much of what: `kills` of any target, `pauses` of up to `longest_s` seconds, orderly `terminations`.

    `losses` are kills of two of three brokers, and of all at once; `nets` faults of the network; `clocks` steps;
    `fulls` full disks; `scales` changes of the number of processors or sinks; `restarts` of the supervisor.
    """

    kills: int
    pauses: int = 0
    terminations: int = 0
    longest_s: float = 13.0
    losses: int = 0
    nets: int = 0
    clocks: int = 0
    fulls: int = 0
    scales: int = 0
    restarts: int = 0


def of_minutes(minutes: float) -> Appetite:
    """Return the appetite for a run of everything that lasts so many minutes: two faults in five seconds."""

    def times(a_minute: float) -> int:
        return max(1, round(a_minute * minutes))

    return Appetite(
        kills=times(8),
        pauses=times(2),
        terminations=times(2),
        longest_s=30.0,
        losses=times(0.6),
        nets=times(4),
        clocks=times(3),
        fulls=times(1),
        scales=times(1.5),
        restarts=times(0.3),
    )


def plan(seed: int, seconds: float, targets: Sequence[str], appetite: Appetite) -> list[Fault]:
    """Spread the faults at random over `seconds`, in order of time."""
    random = Random(seed)  # noqa: S311 -- reproducible, not secret
    last = min(seconds / 3, appetite.longest_s)
    makers = (
        *[_signal("kill")] * appetite.kills,
        *[_signal("pause")] * appetite.pauses,
        *[_signal("terminate")] * appetite.terminations,
        *[_loss] * appetite.losses,
        *[_net] * appetite.nets,
        *[_clock] * appetite.clocks,
        *[_full] * appetite.fulls,
        *[_scale] * appetite.scales,
        *[_restart] * appetite.restarts,
    )
    found = [fault for make in makers for fault in make(random, random.uniform(0, seconds), targets, last)]
    return sorted(found)


_Maker = Callable[[Random, float, Sequence[str], float], Iterator[Fault]]


def _lasting(random: Random, last: float) -> float:
    # Half of them outlast a session time-out, so that who was away comes back as a zombie.
    return random.choice((random.uniform(min(0.5, last), min(3.0, last)), last))


def _signal(kind: Literal["kill", "pause", "terminate"]) -> _Maker:
    def make(random: Random, at_s: float, targets: Sequence[str], last: float) -> Iterator[Fault]:
        yield Fault(at_s, kind, random.choice(targets), _lasting(random, last) if kind == "pause" else 0.0)

    return make


def _loss(random: Random, at_s: float, _: Sequence[str], __: float) -> Iterator[Fault]:
    """Two brokers are lost, or all three: nothing can be acknowledged until two are back."""
    yield Fault(at_s, "kill", ",".join(random.sample(BROKERS, random.choice((2, 3)))))


def _net(random: Random, at_s: float, _: Sequence[str], last: float) -> Iterator[Fault]:
    kind = random.choice(NETS)
    target = random.choice((*REACHED, ",".join(BROKERS), ",".join(REACHED)))
    yield Fault(at_s, kind, target, random.uniform(min(1.0, last), last), random.randint(*SLOW_MS))


def _clock(random: Random, at_s: float, _: Sequence[str], last: float) -> Iterator[Fault]:
    yield Fault(at_s, "clock", random.choice(CLOCKS), random.uniform(min(1.0, last), last), random.choice(STEPS_MS))


def _full(random: Random, at_s: float, _: Sequence[str], last: float) -> Iterator[Fault]:
    target, seconds = random.choice(DISKS), random.uniform(min(1.0, last), last)
    yield Fault(at_s, "full", target, seconds, LARGEST_FILE)
    if target == "ingest":  # it writes to its disk only where Kafka is away
        yield Fault(at_s, "cut", ",".join(BROKERS), seconds)


def _scale(random: Random, at_s: float, _: Sequence[str], last: float) -> Iterator[Fault]:
    yield Fault(at_s, "scale", random.choice(("processor", "sink")), last, random.choice(NUMBERS))


def _restart(random: Random, at_s: float, _: Sequence[str], __: float) -> Iterator[Fault]:
    yield Fault(at_s, random.choice(("kill", "terminate")), SUPERVISOR)
