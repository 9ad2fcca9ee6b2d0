"""deploy/systemd: the units are valid, and know only settings that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cli.main import receipts
from core.settings import Settings, parse
from tests.deploy.secured import ROOT

FOLDER = ROOT / "deploy/systemd"
ROLE = (FOLDER / "receiptstream@.service").read_text()
VARIABLES = {field.alias for field in Settings.model_fields.values()}
OF_THE_PROCESS = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "TZ"}


def test_settings_are_known_and_fit_together() -> None:
    lines = [line for line in (FOLDER / "receiptstream.env").read_text().splitlines() if not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines)
    assert set(given) <= VARIABLES
    assert parse(given).replication_factor == 3
    for unit in FOLDER.glob("*.service"):
        for line in re.findall(r"^Environment=(.*)$", unit.read_text(), re.MULTILINE):
            assert {pair.split("=")[0] for pair in line.split()} <= VARIABLES | OF_THE_PROCESS


@pytest.mark.parametrize(("instance", "role"), [("ingest", "ingest"), ("processor-2", "processor")])
def test_an_instance_runs_its_role(instance: str, role: str) -> None:
    (command,) = re.findall(r"^ExecStart=/bin/sh -c '(.*)'$", ROLE, re.MULTILINE)
    text = command.replace("%i", instance).replace("%%", "%").replace("$$", "$")
    text = text.replace("exec /opt/receiptstream/bin/receipts", "echo")
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == role
    assert receipts.get_command(None, role) is not None  # type: ignore[arg-type]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for unit in FOLDER.glob("receiptstream*"):
        # What it runs is not installed here.
        text = unit.read_text().replace("/opt/receiptstream/bin/receipts", shutil.which("true") or "/bin/true")
        (tmp_path / unit.name.replace("@.", "@processor-2.")).write_text(text)
    units = [str(path) for path in tmp_path.iterdir() if path.suffix in (".service", ".target")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    told = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "receiptstream" in line]
    assert told == []
