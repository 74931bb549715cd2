"""Functions and files stay small, and a module is named after its duty."""

from tests.arch.tree import PACKAGES, ROOT, functions, modules

LINES_IN_A_FILE = 400
LINES_IN_A_FUNCTION = 50

LONG_BY_NATURE = {
    "storage/migrations/versions": "a revision is one long list of statements, frozen once it is released",
}
"""Directories whose functions and files may be longer, each with its reason."""


def is_long_by_nature(name: str) -> bool:
    return any(name.startswith(f"{directory}/") for directory in LONG_BY_NATURE)


def test_files_are_under_400_lines() -> None:
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules(*PACKAGES)
    }
    too_long = {name: size for name, size in sizes.items() if size >= LINES_IN_A_FILE and not is_long_by_nature(name)}

    assert sizes
    assert too_long == {}


def test_functions_are_under_50_lines() -> None:
    too_long = {}
    for path in modules(*PACKAGES):
        name = str(path.relative_to(ROOT))
        for function in functions(path):
            assert function.end_lineno is not None
            size = function.end_lineno - function.lineno + 1
            if size >= LINES_IN_A_FUNCTION and not is_long_by_nature(name):
                too_long[f"{name}:{function.name}"] = size

    assert too_long == {}


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"common", "helper", "helpers", "misc", "util", "utils"}

    assert [str(path) for path in modules(*PACKAGES, "tests") if path.stem in drawers] == []
