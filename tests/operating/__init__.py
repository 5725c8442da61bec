"""What is run, configured, packed, backed up and promised."""
