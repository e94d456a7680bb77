"""Why frames were left out: counts by reason, of which there are never many."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

MAX_REASONS = 32
MAX_REASON_LENGTH = 40
#: Where the rarest reasons go when there are too many.
OTHER = "other"

Reason = Annotated[str, Field(min_length=1, max_length=MAX_REASON_LENGTH)]
Reasons = Annotated[dict[Reason, Annotated[int, Field(ge=1)]], Field(max_length=MAX_REASONS)]


def reason_of(error: Exception | str) -> str:
    """Give the word before the first colon of an error: the field that was wrong."""
    return str(error).partition(":")[0].strip()[:MAX_REASON_LENGTH] or OTHER


def bounded(counts: Mapping[str, int]) -> dict[str, int]:
    """Give at most :data:`MAX_REASONS` of them, the most frequent first, none of them zero.

    What is left over is counted as :data:`OTHER`; the sum stays.
    """
    found: dict[str, int] = {}
    for text, count in counts.items():
        if count > 0:
            reason = text.strip()[:MAX_REASON_LENGTH] or OTHER
            found[reason] = found.get(reason, 0) + count
    order = sorted(found, key=lambda reason: (-found[reason], reason))
    if len(order) <= MAX_REASONS:
        return {reason: found[reason] for reason in order}
    named = [reason for reason in order if reason != OTHER][: MAX_REASONS - 1]
    rest = sum(found.values()) - sum(found[reason] for reason in named)
    return {reason: found[reason] for reason in named} | {OTHER: rest}
