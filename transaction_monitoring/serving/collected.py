"""Which files of packages are collected to be served."""

from django.contrib.staticfiles.apps import StaticFilesConfig


class CollectedFiles(StaticFilesConfig):
    """Django's own, but for what no page asks for.

    The API's page is Swagger's, and ReDoc comes in the same package; maps of scripts are for those who write
    them. They were half of all bytes, each hashed and compressed at every start of `make run`.
    """

    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "*.map", "redoc"]
