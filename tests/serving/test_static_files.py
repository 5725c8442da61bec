"""The names under which static files are served."""

import re
import shutil
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings

from tests.support.serving import ROOT
from transaction_monitoring.serving.static_files import HashedFilesStorage

SOURCE = ROOT / "transactions" / "static"
MODULES = "transactions/dashboard"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "transaction_monitoring.serving.static_files.HashedFilesStorage"},
}


def collect(source: Path, directory: Path) -> dict[str, str]:
    """What collectstatic makes of `source`: the hashed name of each file."""
    shutil.copytree(source, directory)
    storage = HashedFilesStorage(location=str(directory), base_url="/static/")
    names = [str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()]
    for name, _, processed in storage.post_process({name: (storage, name) for name in names}):
        assert not isinstance(processed, Exception), (name, processed)
    hashed, _ = storage.load_manifest()
    return dict(hashed)


def test_modules_import_each_other_by_hashed_names(tmp_path: Path) -> None:
    hashed = collect(SOURCE, tmp_path / "static")
    imported = set()
    for name in hashed:
        if name.startswith(MODULES):
            text = (tmp_path / "static" / hashed[name]).read_text()
            folder = tmp_path / "static" / MODULES
            imported |= {(folder / url).resolve() for url in re.findall(r'from "(\./[^"]*)"', text)}
    known = {(tmp_path / "static" / made).resolve() for made in hashed.values()}
    assert len(imported) >= 9
    assert imported <= known


def test_where_nothing_was_collected_pages_name_files_plainly(tmp_path: Path) -> None:
    nothing = HashedFilesStorage(location=str(tmp_path / "nothing"), base_url="/static/")
    assert nothing.url("transactions/icon.svg") == "/static/transactions/icon.svg"


def test_a_slip_in_a_name_is_no_page_once_files_are_collected(tmp_path: Path) -> None:
    collect(SOURCE, tmp_path / "static")
    collected = HashedFilesStorage(location=str(tmp_path / "static"), base_url="/static/")
    assert re.fullmatch(r"/static/transactions/icon\.\w+\.svg", collected.url("transactions/icon.svg"))
    with pytest.raises(ValueError, match="Missing staticfiles manifest entry"):
        collected.url("transactions/icno.svg")


def test_a_change_of_a_module_renames_whatever_imports_it(tmp_path: Path) -> None:
    before = collect(SOURCE, tmp_path / "before")
    changed = tmp_path / "source"
    shutil.copytree(SOURCE, changed)
    with (changed / MODULES / "chart_card.js").open("a") as file:
        file.write("// another release\n")
    after = collect(changed, tmp_path / "after")
    renamed = {Path(name).name for name in before if before[name] != after[name]}
    assert renamed == {
        "chart_card.js",
        "period_charts.js",
        "days.js",
        "main.js",
        "backtest.js",
        "alert.js",
        "flush_plot.js",
    }


def test_only_what_a_page_can_name_is_collected_and_compressed_once(tmp_path: Path) -> None:
    with override_settings(STATIC_ROOT=tmp_path, STORAGES=STORAGES):
        call_command("collectstatic", interactive=False, verbosity=0)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert not [name for name in names if name.endswith(".map") or "/redoc/" in name]
    bundles = [name for name in names if "/swagger-ui-bundle" in name and "LICENSE" not in name]
    assert len(bundles) == 3, bundles  # as it came, under its hashed name, and that compressed
