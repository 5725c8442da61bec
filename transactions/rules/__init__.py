"""Rules: what is looked for in stored transactions, and the hits, which are a function of these alone."""
