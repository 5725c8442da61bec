"""How the system is: which part is ill, since when, and what to do."""
