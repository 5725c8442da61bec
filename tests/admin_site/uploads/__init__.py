"""The admin's pages of uploads."""
