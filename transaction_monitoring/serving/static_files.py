"""Static files as they are served: under names that tell their content."""

from collections.abc import Iterable, Iterator

from whitenoise.storage import CompressedManifestStaticFilesStorage

# Of a sheet: what it names, but for its map, which is not collected.
_IN_SHEETS = tuple(
    each
    for name, patterns in CompressedManifestStaticFilesStorage.patterns
    if name == "*.css"
    for each in patterns
    if "sourceMappingURL" not in str(each)
)
_IN_MODULES = CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1]


class HashedFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Renames modules' imports of each other too: no page ever runs files of two releases.

    Browsers keep files for ever, and a module that imported another by its plain name might get that of
    another release. Only our own modules import each other; those of packages are bundles of megabytes.
    """

    patterns = (("*.css", _IN_SHEETS), ("transactions/*.js", _IN_MODULES))

    def stored_name(self, name: str) -> str:
        """The hashed name of a file; its plain one where nothing was ever collected.

        There a page stands without its looks, and is still read: the log-in, and what says what went wrong.
        Once files are collected a name that is not among them is a slip, and raises.
        """
        return str(super().stored_name(name)) if self.hashed_files else name

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Compresses what pages name. Nobody is ever sent a file by its plain name while it has another."""
        yield from super().compress_files(set(paths) & set(self.hashed_files.values()))
