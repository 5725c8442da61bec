"""Kinds of rules: what may stand in a rule, and the SQL that comes of it."""
