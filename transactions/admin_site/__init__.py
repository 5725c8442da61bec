"""The admin site: its lists and pages, fast over any number of rows."""
