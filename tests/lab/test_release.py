"""A later release of a package, made from the files that it changes."""

import subprocess
import sys

import pytest

from lab.cast.setting import environment_for
from lab.release import install
from lab.stage import Variant


def test_a_process_imports_the_release_that_comes_first_on_its_path(tmp_path):
    folder = install("era4_framework", "two", tmp_path)
    ask = "import era4_framework.protocol as p, era4_framework.stack; print(p.RELEASE, p.__file__)"
    for environment, release, place in [({}, "1", ""), ({"PYTHONPATH": str(folder)}, "2", folder)]:
        told = subprocess.run(
            [sys.executable, "-c", ask],
            env=environment_for(Variant(environment=environment)),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert told.startswith(release) and str(place) in told


def test_a_release_changes_what_it_holds_and_nothing_else(tmp_path):
    folder = install("era4_framework", "two", tmp_path)
    assert [path.name for path in folder.iterdir()] == ["era4_framework"]
    assert not (folder / "era4_framework" / "releases").exists()
    assert "RELEASE = 2" in (folder / "era4_framework" / "protocol.py").read_text()
    assert "Era 4" in (folder / "era4_framework" / "__init__.py").read_text()


@pytest.mark.parametrize(
    ("package", "release", "accepted"),
    [
        ("era4_framework", "three", "two"),
        ("era4_framework", "", "two"),
        ("era2_tcp", "two", "none"),
    ],
)
def test_a_release_that_there_is_not_is_named(tmp_path, package, release, accepted):
    said = f"release {release!r} of {package}: accepted are {accepted}"
    with pytest.raises(ValueError, match=said):
        install(package, release, tmp_path)
