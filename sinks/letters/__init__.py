"""Dead letters: found, looked at, sent again, discarded."""

from sinks.letters.redrive import Judge, Outcome, redrive
from sinks.letters.store import Letter, Wanted, find, mark

__all__ = ["Judge", "Letter", "Outcome", "Wanted", "find", "mark", "redrive"]
