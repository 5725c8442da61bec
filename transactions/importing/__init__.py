"""Files of other systems made transactions: read as a table, understood by a mapping, planned, posted."""
