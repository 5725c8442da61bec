"""Formats of dates and times by language, in the layout that FORMAT_MODULE_PATH wants."""
