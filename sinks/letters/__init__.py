"""Dead letters: found, looked at, sent again, discarded."""

from sinks.letters.redrive import Judge, Outcome, discard, redrive
from sinks.letters.store import Letter, Wanted, find

__all__ = ["Judge", "Letter", "Outcome", "Wanted", "discard", "find", "redrive"]
