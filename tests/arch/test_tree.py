"""A clone stands on its own: no file names the machine it was written on, or where its packages were fetched."""

from tests.arch.tree import ROOT, project_files

# Put together here so that this file passes its own test.
MACHINES = ["/" + "work/", "/" + "root/", "/home/" + "user", ".." + "/shared", "farm-" + "bench"]
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted",
    "npm" + "js.org",
    "npm" + "js.com",
    "deb." + "debian",
    "proxy." + "golang",
]


def test_no_file_names_a_machine_or_a_registry() -> None:
    files = project_files()
    found = {
        f"{path.relative_to(ROOT)}: {word}"
        for path in files
        for word in MACHINES + REGISTRIES
        if word.encode() in path.read_bytes()
    }

    assert ROOT / "pyproject.toml" in files
    assert found == set()


def test_the_lock_files_name_versions_and_hashes_only() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        for line in lock.read_text(encoding="utf-8").splitlines():
            if not line.lstrip().startswith("#"):
                assert "://" not in line, line
                assert "==" in line or "--hash=sha256:" in line, line


def test_nothing_is_left_for_later() -> None:
    words = [b"TO" + b"DO", b"FIX" + b"ME", b"XX" + b"X:"]
    sources = [path for path in project_files() if path.suffix == ".py"]

    assert sources
    assert [f"{path}: {word!r}" for path in sources for word in words if word in path.read_bytes()] == []
