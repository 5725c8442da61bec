"""The admin's pages of uploads: a file from its upload to its last refused row."""
