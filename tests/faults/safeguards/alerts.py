"""Safeguards of alerts and of the steps that people take."""

from .mutation import Mutation

TRIAGE = ("tests/alerts", "tests/review")
MUTATIONS = (
    Mutation(
        "who was overtaken overwrites nothing",
        "transactions/alerts/triage.py",
        "            if held.version != seen:\n",
        "            if False:\n",
        TRIAGE,
    ),
    Mutation(
        "what is snoozed opens no alert",
        "transactions/alerts/grouping.py",
        "        elif snooze is not None:\n",
        "        elif False:\n",
        TRIAGE,
    ),
)
