"""Reading: what is asked of transactions that are stored or wait."""
