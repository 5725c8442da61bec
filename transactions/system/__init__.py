"""How the system is: one look at all of it, and what follows for each of its parts."""
