"""Keeping: how long transactions are needed by rules."""

from .kinds.registry import read
from .models import Version, VersionState


def days_needed(memory_s: int) -> int:
    """Days for which transactions must be kept for a rule that looks back so far: these, and one more."""
    return -(-memory_s // 86_400) + 1


def longest() -> tuple[int, str]:
    """For how many days rules in force need transactions to be kept, and the name of the rule; 0 for none."""
    in_force = Version.objects.filter(state__in=(VersionState.SHADOW, VersionState.ACTIVE)).select_related(
        "rule"
    )
    needed = [
        (days_needed(read(version.kind, version.parameters).memory_s), version.rule.name)
        for version in in_force
    ]
    return max(needed, default=(0, ""))
