"""Static files as they are served: under names that tell their content."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Modules import each other by such names too: no page ever runs files of two releases.

    Browsers may keep a file of such a name for ever, so one that is not renamed would be stale.
    """

    support_js_module_import_aggregation = True
