"""Django's own backend of PostgreSQL, with connections that are made and committed as ours are."""
