"""What pyproject.toml cannot say: with RECEIPTSTREAM_COMPILE=1 the modules of the event path are compiled by mypyc.

They are the same modules, and run as they are where they were not compiled. docs/performance.md says what it is worth.
"""

import os

from setuptools import Extension, setup

COMPILED = (
    "core/clock.py",
    "core/kafka_reader.py",
    "core/kafka_writer.py",
    "ingest/admission.py",
    "ingest/body.py",
    "ingest/delivery.py",
    "ingest/records.py",
    "ingest/tally.py",
    "ingest/zoho.py",
    "processors/abilities.py",
    "processors/alerts.py",
    "processors/batched/outbox.py",
    "processors/codec.py",
    "processors/deadlines.py",
    "processors/disk.py",
    "processors/expiry.py",
    "processors/outputs.py",
    "processors/partials.py",
    "processors/places.py",
    "processors/reading.py",
    "processors/rebuild.py",
    "processors/receipts.py",
    "processors/rules.py",
    "processors/state.py",
    "processors/steps.py",
    "processors/tally.py",
    "processors/totals.py",
    "processors/usual.py",
    "processors/windows.py",
    "processors/written.py",
    "schemas/keys.py",
    "schemas/sketch.py",
    "schemas/times.py",
    "sinks/batch.py",
    "sinks/rows.py",
)


def extensions() -> list[Extension]:
    """Return what is to be built: nothing unless it was asked for."""
    if os.environ.get("RECEIPTSTREAM_COMPILE") != "1":
        return []
    from mypyc.build import mypycify  # noqa: PLC0415 -- a plain installation needs no compiler

    return mypycify(list(COMPILED), group_name="receiptstream")


setup(ext_modules=extensions())
