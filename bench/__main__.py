"""`python -m bench [NAME…]`: run the named measurements, or all of them."""

from __future__ import annotations

import asyncio
import sys

from bench import ingress, processor, questions, sink

ALL = {
    "ingress": lambda: ingress.report(asyncio.run(ingress.measure(ingress.SECONDS))),
    "processor": lambda: processor.report(asyncio.run(processor.measure(processor.RECORDS))),
    "sink": lambda: sink.report(asyncio.run(sink.measure(sink.RECORDS))),
    "questions": lambda: questions.report(asyncio.run(questions.measure())),
}


def main() -> None:
    """Print each table under its name."""
    names = sys.argv[1:] or list(ALL)
    if unknown := [name for name in names if name not in ALL]:
        raise SystemExit(f"no measurement is named {', '.join(unknown)}: there are {', '.join(ALL)}")
    for name in names:
        print(f"{name}\n{ALL[name]()}\n", flush=True)


if __name__ == "__main__":
    main()
