"""What production is told to run, run: the compose file, on an engine and images made here."""
