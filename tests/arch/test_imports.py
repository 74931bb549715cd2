"""What may be imported where, in the words that import-linter has no contract for."""

import sys

from tests.arch.tree import ROOT, imported, modules

OUR_OWN_STRIPE_FILE = "billing/stripe_gateway.py"
"""The one file of billing that may import stripe; it is outside the purity of the rest."""


def strangers(package: str, allowed: tuple[str, ...]) -> list[str]:
    """Every import of the package that is neither the standard library's nor one of those allowed."""
    found = []
    for path in modules(package):
        name = str(path.relative_to(ROOT))
        for line, module in imported(path):
            is_allowed = any(module == one or module.startswith(f"{one}.") for one in allowed)
            is_standard = module.split(".", 1)[0] in sys.stdlib_module_names
            if not is_allowed and not is_standard and name != OUR_OWN_STRIPE_FILE:
                found.append(f"{name}:{line} {module}")
    return found


def test_billing_needs_the_standard_library_only() -> None:
    assert strangers("billing", ("billing",)) == []


def test_handlers_need_only_typed_parsing_and_the_router() -> None:
    # Markdown is read by a parser that is kept elsewhere: docs/decisions/0023-reading-comments.md.
    parsers = ("msgspec", "markdown_it", "gidgethub.routing", "gidgethub.sansio")

    assert strangers("handlers", ("handlers", "billing", *parsers)) == []


def test_the_sandbox_needs_nothing_of_the_product() -> None:
    ours = {"bot", "handlers", "billing", "storage"}

    assert [
        f"{path}:{line}" for path in modules("sandbox") for line, name in imported(path) if name.split(".")[0] in ours
    ] == []


def test_the_domain_keeps_no_time_and_draws_no_lots() -> None:
    chance = {"asyncio", "os", "random", "secrets", "socket", "sqlite3", "subprocess", "threading", "time", "uuid"}
    pure = [path for path in modules("billing") if path.stem not in {"ports", "service", "stripe_gateway"}]

    assert [
        f"{path}:{line} {name}" for path in pure for line, name in imported(path) if name.split(".")[0] in chance
    ] == []
