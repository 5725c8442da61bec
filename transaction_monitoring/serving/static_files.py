"""Static files as they are served: under names that tell their content."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Renames modules' imports of each other too: no page ever runs files of two releases.

    Browsers keep files for ever, and a module that imported another by its plain name might get that of
    another release.
    """

    support_js_module_import_aggregation = True
