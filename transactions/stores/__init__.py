"""Connections to PostgreSQL and Redis, bounded in every wait."""
