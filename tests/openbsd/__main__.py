"""What ``make update-plist`` does on OpenBSD: ``PYTHONPATH=tests .venv/bin/python -m openbsd``.

Builds the port and writes its packing lists anew. What they say besides names of files stays:
what stands at the top, a ``@sample`` behind its file, and all that follows the first ``@mode``.
"""

import re
import tempfile
from itertools import pairwise
from pathlib import Path

from openbsd import plist
from openbsd.port import PORT, VERSION, Package, fake, packages

SITE = f"lib/python{VERSION}/site-packages"


def owners(path: str, stems: dict[str, str]) -> set[str]:
    """Tell which packages have a path, by its name; ``stems`` has the packages by their stem."""
    if path == "libexec/smtpd/":
        return set(stems.values()) - {"-main", "-operator"}
    if path.startswith((f"{SITE}/opensmtpd_cli/", "share/bash-", "share/fish/", "share/zsh/")):
        return {"-operator"}
    share = re.match(r"share/(?:examples|doc/pkg-readmes)/([^/]+)", path)
    if share:
        return {stems[share[1]]}
    kind = re.match(
        r".*/opensmtpd_(filter|table)s/(?:__pycache__/)?(?!early)([a-z]+)\.(?!typed)", path
    )
    kind = kind or re.match(r".*/(filter|table)-([a-z]+)(?:\.\d)?$", path)
    if kind:
        return {stems[f"opensmtpd-{kind[1]}-{kind[2].replace('fcrdns', 'rdns')}-py"]}
    return {"-operator"} if Path(path).stem == "opensmtpd-plugins" else {"-main"}


def line(path: str, package: Package) -> str:
    """Return a path as the packing list has it."""
    if path.startswith("man/"):
        return f"@man {path}"
    values = package.values
    path = path.replace(f"-{values['MODPY_DISTV']}.dist-info", "-${MODPY_DISTV}.dist-info")
    path = path.replace(SITE, "lib/python${MODPY_VERSION}/site-packages")
    path = path.replace("__pycache__/", "${MODPY_PYCACHE}")
    path = path.replace("${MODPY_PYCACHE}", "${MODPY_PYCACHE}/") if path[-1] == "}" else path
    path = path.replace(values["MODPY_PYC_MAGIC_TAG"], "${MODPY_PYC_MAGIC_TAG}")
    path = path.replace(values["MODPY_PYOEXTENSION"], "${MODPY_PYOEXTENSION}")
    path = path.replace(f"examples/{values['MODPY_PY_PREFIX']}", "examples/${MODPY_PY_PREFIX}")
    return path.replace(f"pkg-readmes/{package.stem}", "pkg-readmes/${PKGSTEM}")


def updated(paths: list[str]) -> dict[str, str]:
    """Return what each packing list should say, by the paths that are installed for packages."""
    known = packages()
    stems = {package.stem: name for name, package in known.items()}
    return {name: _updated(package, paths, stems) for name, package in known.items()}


def _updated(package: Package, paths: list[str], stems: dict[str, str]) -> str:
    old = package.source("PLIST").splitlines()
    end = next((index for index, each in enumerate(old) if each.startswith("@mode")), len(old))
    lines = [each for each in old[:end] if each.split()[0] in plist.NAMES]
    samples = {before: each for before, each in pairwise(old[:end]) if each.startswith("@sample")}
    for path in paths:
        if package.name in owners(path, stems):
            lines.append(line(path, package))
            lines += [samples[lines[-1]]] if lines[-1] in samples else []
    return "".join(f"{each}\n" for each in lines + old[end:])


def main() -> None:
    """Write the packing lists."""
    with tempfile.TemporaryDirectory() as work:
        paths = plist.installed(fake(Path(work)), VERSION)
    for name, text in updated(paths).items():
        (PORT / "pkg" / f"PLIST{name}").write_text(text)


if __name__ == "__main__":
    main()
