"""The console script `receipts`: finds the commands, runs one, and turns its errors into sentences and exit codes."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import click

from core.build import KIND
from core.errors import ReceiptstreamError

_PACKAGE = "cli"


class Commands(click.Group):
    """Every module `cli/NAME.py` is the command NAME: its attribute `command`. Imported only when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click passes it
        """Name the modules of this folder that are commands."""
        found = (module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
        return sorted(name for name in found if name != "main" and not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or return None when there is none of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"{_PACKAGE}.{cmd_name}").command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="receiptstream", message=f"%(prog)s, version %(version)s ({KIND})")
def receipts() -> None:
    """Know what became of every instant message: delivery and read receipts, exactly counted."""


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 the answer is no, 2 usage or configuration error."""
    try:
        receipts()
    except ReceiptstreamError as error:
        click.echo(f"receipts: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
