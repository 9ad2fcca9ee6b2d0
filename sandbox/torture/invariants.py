"""What must hold after any faults, beside the tables: order, secrets, memory and files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from sandbox.answer_key.records import RawRecord
from sandbox.torture.watch import Process, Sample

STORES = ("broker", "warehouse")
MORE_FILES = 64
TIMES_MEMORY, MORE_MIB = 1.5, 150.0
"""What a process may have more at the end than at its usual."""


def disordered(transitions: Iterable[RawRecord]) -> Iterator[str]:
    """Name every message whose statuses first appear on im.transitions in another order than their raw records'.

    A crash may have a row written again: only its first appearance counts.
    """
    last: dict[tuple[str, str], int] = {}
    seen: set[tuple[str, str, str]] = set()
    for record in sorted(transitions, key=lambda each: (each.partition, each.offset)):
        row = orjson.loads(record.value)
        message = (row["org_id"], row["message_id"])
        place = (*message, row["new_status"])
        if place in seen:
            continue
        seen.add(place)
        if row["raw_partition"] != record.partition or row["raw_offset"] < last.get(message, -1):
            yield f"{' '.join(place)} of raw offset {row['raw_offset']} after {last.get(message, -1)}"
        last[message] = row["raw_offset"]


def leaked(folder: Path, secrets: Mapping[str, str]) -> list[str]:
    """Name every log that holds a secret, and which. Raises nothing: a log that vanished holds none."""
    found = []
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        text = file.read_bytes()
        found += [f"{file.name} holds {name}" for name, secret in secrets.items() if secret.encode() in text]
    return found


def grown(samples: Sequence[Sample], last: Sample) -> list[str]:
    """Name every role's process that at the end has more memory or open files than it had in most of the run.

    Of a broker and the warehouse that tells nothing: their files and caches follow the data.
    """
    found = []
    for name, now in last.processes.items():
        if name.startswith(STORES):
            continue
        usual = [sample.processes[name] for sample in samples if name in sample.processes]
        if not usual:
            continue
        files, mib = _middle(usual)
        if now.files > files + MORE_FILES:
            found.append(f"{name} has {now.files} files open, {files} was usual")
        if now.mib > mib * TIMES_MEMORY + MORE_MIB:
            found.append(f"{name} has {now.mib:.0f} MiB, {mib:.0f} was usual")
    return found


def _middle(usual: Sequence[Process]) -> tuple[int, float]:
    return sorted(each.files for each in usual)[len(usual) // 2], sorted(each.mib for each in usual)[len(usual) // 2]
