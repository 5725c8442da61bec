"""The dashboard's page and figures."""
