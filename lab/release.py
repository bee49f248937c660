"""Another release of a package, beside the one that is installed here.

    releases = install("era4_framework", "two", folder)
    Variant(environment={"PYTHONPATH": str(releases)})

A release lies in the package's own `releases/NAME`: the files that it changes, and nothing else.
The process whose PYTHONPATH begins with the folder imports it, the others do not notice.
"""

import shutil
from pathlib import Path

from lab.find import find


def install(package: str, release: str, folder: Path) -> Path:
    """The package with the files of this release in place, inside `folder`; returns `folder`.

    Raises UnknownEra, ValueError if the package has no such release.
    """
    source = find(package).folder
    known = sorted(path.name for path in (source / "releases").glob("*") if path.is_dir())
    releases = [name for name in known if not name.startswith("_")]
    if release not in releases:
        accepted = ", ".join(releases) or "none, it has no folder `releases`"
        raise ValueError(f"release {release!r} of {package}: accepted are {accepted}")
    target = folder / source.name
    left_out = shutil.ignore_patterns("__pycache__", "releases")
    shutil.copytree(source, target, ignore=left_out, dirs_exist_ok=True)
    for changed in (source / "releases" / release).rglob("*.py"):
        if changed.name != "__init__.py":  # that one tells what is new
            shutil.copy(changed, target / changed.relative_to(source / "releases" / release))
    return folder
