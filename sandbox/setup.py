"""Commands that run once before the roles start: `receipts topics` and `receipts migrate`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from core.errors import ConfigError, ReceiptstreamError
from sandbox.child import CONFIG_EXIT, last_line, spawn

TIMEOUT_S = 120.0


async def run_once(name: str, environ: Mapping[str, str], log_file: Path) -> None:
    """Run `receipts NAME` to its end. Raises ConfigError or ReceiptstreamError with its last line when it fails."""
    process = await spawn(name, environ, log_file)
    try:
        code = await asyncio.wait_for(process.wait(), TIMEOUT_S)
    except TimeoutError:
        raise ReceiptstreamError(f"`receipts {name}` did not end in {TIMEOUT_S:.0f} s", fix=f"See {log_file}") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code:
        kind = ConfigError if code == CONFIG_EXIT else ReceiptstreamError
        raise kind(
            f"`receipts {name}` failed: {last_line(log_file).removeprefix('receipts: ') or code}", fix=f"See {log_file}"
        )
