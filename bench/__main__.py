"""`python -m bench [NAME…]`: run the named measurements, or all of them; see bench/README.md."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType

from bench import audit, chain, dashboard, ingress, processor, questions, sink, storage, volume
from bench.output import RESULTS, write
from core import logs
from core.build import describe

ALL: dict[str, ModuleType] = {
    "ingress": ingress,
    "processor": processor,
    "volume": volume,
    "sink": sink,
    "chain": chain,
    "questions": questions,
    "audit": audit,
    "dashboard": dashboard,
    "storage": storage,
}
"""Each has `measure`, `report` and `results`."""


def main() -> None:
    """Print each table under its name, and leave it with its numbers and its plot in bench/results."""
    names = sys.argv[1:] or list(ALL)
    if unknown := [name for name in names if name not in ALL]:
        raise SystemExit(f"no measurement is named {', '.join(unknown)}: there are {', '.join(ALL)}")
    logs.configure("bench", level="ERROR")
    print(f"receipts {describe()}\n", flush=True)
    for name in names:
        module = ALL[name]
        found = asyncio.run(module.measure())
        write(name, module.report(found), module.results(found))
        print(f"{name}\n{module.report(found)}\n", flush=True)
    print(f"tables, numbers and plots: {RESULTS}")


if __name__ == "__main__":
    main()
