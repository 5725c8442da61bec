"""How many uploads wait for a worker, or have one, and for how long: for metrics and the system's parts."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, Min, Q

from .models import UploadState
from .steps import runs

# So long a step may wait while no worker has another, and so long a worker may be at one, in seconds.
WAITING_S_MAX, RUNNING_S_MAX = 10 * 60.0, 2 * 60 * 60.0


@dataclass(frozen=True, slots=True)
class UploadFigures:
    """Steps that wait for a worker, and those that have one; seconds of the oldest of each, 0 of none."""

    waiting: int
    running: int
    waiting_s: float
    running_s: float

    def as_dict(self) -> dict[str, float]:
        return {
            "waiting": self.waiting,
            "running": self.running,
            "waiting_seconds": round(self.waiting_s, 1),
            "running_seconds": round(self.running_s, 1),
        }

    @property
    def problem(self) -> str:
        """What is wrong, in a line; "" where nothing is."""
        if self.waiting_s > WAITING_S_MAX and not self.running:
            return (
                f"an uploaded file has waited {self.waiting_s:,.0f} s for a worker of the queue “backtests”: "
                "does one run, or is it at a backtest?"
            )
        if self.running_s > RUNNING_S_MAX:
            return f"a worker has been at an uploaded file for {self.running_s:,.0f} s: is it stuck?"
        return ""


def read() -> UploadFigures:
    """Looks. Raises django.db.Error."""
    waits, works = Q(state=UploadState.QUEUED), Q(state=UploadState.RUNNING)
    found = runs.under_way().aggregate(
        waiting=Count("pk", filter=waits),
        running=Count("pk", filter=works),
        waiting_since=Min("asked_at", filter=waits),
        running_since=Min("started_at", filter=works),
    )
    waiting_s, running_s = _age_s(found["waiting_since"]), _age_s(found["running_since"])
    return UploadFigures(found["waiting"], found["running"], waiting_s, running_s)


def _age_s(moment: datetime | None) -> float:
    return 0.0 if moment is None else max(0.0, (datetime.now(UTC) - moment).total_seconds())
