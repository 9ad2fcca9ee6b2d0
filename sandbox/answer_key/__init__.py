"""What must be true of a stream of raw records: the contract's "Meaning, exactly", a second time, plainly.

It shares no code with the processors, the sinks or the event codec, so that agreement proves something. Slow is fine.
"""

from sandbox.answer_key.compare import Difference, compare, describe
from sandbox.answer_key.key import AnswerKey, answer, answer_of_bodies
from sandbox.answer_key.records import RawRecord

__all__ = ["AnswerKey", "Difference", "RawRecord", "answer", "answer_of_bodies", "compare", "describe"]
