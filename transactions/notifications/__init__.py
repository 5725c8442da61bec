"""Being told: what happened is written down with it, given a number, and sent to whoever has to know."""
