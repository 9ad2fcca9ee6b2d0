"""Raw events again: the same records to every rule, so that nothing is counted twice."""

from sinks.replay.replay import Selection, replay

__all__ = ["Selection", "replay"]
