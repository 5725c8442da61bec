"""Static files as they are served: under names that tell their content."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Renames modules' imports of each other too: no page ever runs files of two releases.

    Browsers keep files for ever, and a module that imported another by its plain name might get that of
    another release.
    """

    support_js_module_import_aggregation = True

    def stored_name(self, name: str) -> str:
        """The hashed name of a file; its plain one where nothing was ever collected.

        There a page stands without its looks, and is still read: the log-in, and what says what went wrong.
        Once files are collected a name that is not among them is a slip, and raises.
        """
        return str(super().stored_name(name)) if self.hashed_files else name
