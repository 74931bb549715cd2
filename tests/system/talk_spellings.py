"""What people write: commands in every spelling, and what only looks like one.

Which words a text asks is known because it was written so: nothing here reads Markdown. It is what a reader of the
rendered page would say: a command stands at a line's start, outside quotes and code. What the rules leave open is as
docs/decisions/0023-reading-comments.md has it.
"""

from typing import Final

SLUG: Final = "tallyhook-sandbox"

CREDITS, PLAN, HELP = "credits", "plan", "help"

COMMANDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (f"@{SLUG} credits", (CREDITS,)),
    (f"@{SLUG} plan", (PLAN,)),
    (f"@{SLUG} help", (HELP,)),
    ("/credits", (CREDITS,)),
    ("/credits plan", (PLAN,)),
    ("/credits help", (HELP,)),
    ("/credits credits", (CREDITS,)),
    (f"@{SLUG.upper()} Credits", (CREDITS,)),
    ("/CREDITS", (CREDITS,)),
    (f"   @{SLUG} credits", (CREDITS,)),
    (f"@{SLUG}\tplan", (PLAN,)),
    (f"@{SLUG} credits?", (CREDITS,)),
    ("/credits  ", (CREDITS,)),
    (f"@{SLUG} credits, please", (CREDITS,)),
    (f"@{SLUG} plan for `next` month?", (PLAN,)),
    (f"@{SLUG} usage", (HELP,)),
    ("/credits everything", (HELP,)),
    (f"Thanks for the fix!\n\n@{SLUG} credits", (CREDITS,)),
    (f"What is left?\n@{SLUG} credits\nThank you.", (CREDITS,)),
    ("Hello\r\n\r\n/credits\r\n", (CREDITS,)),
    ("> Is anything left?\n\nLet me see.\n\n/credits plan", (PLAN,)),
    ("```\npip install it\n```\n/credits", (CREDITS,)),
    (f"~~~\n/credits\n~~~\n\n@{SLUG} help", (HELP,)),
    (f"`code` comes first\n@{SLUG} plan", (PLAN,)),
    ("# A heading\n/credits", (CREDITS,)),
    ("- one\n- two\n\n/credits", (CREDITS,)),
    ("<!-- a hidden note -->\n\n/credits", (CREDITS,)),
    (f"/credits\n\n@{SLUG} plan\n/credits help", (CREDITS, PLAN, HELP)),
    (f"@{SLUG} plan\n/credits\n@{SLUG} plan", (PLAN, CREDITS)),
)
"""Texts that ask, and the words that they ask, in the order in which they are to be answered."""

NEAR_COMMANDS: Final = (
    f"> @{SLUG} credits",
    f"> somebody else's words\n@{SLUG} credits",
    "> > /credits",
    f"```\n@{SLUG} credits\n```",
    "```\n/credits",
    "~~~ text\n/credits\n~~~",
    f"    @{SLUG} credits",
    "Look:\n\n\t/credits",
    f"`@{SLUG} credits`",
    "`this\n/credits\nis code`",
    f"Please ask @{SLUG} credits",
    "One writes /credits",
    "see docs/credits",
    f"@{SLUG}-too credits",
    f"@my{SLUG} credits",
    f"@{SLUG}s plan",
    "@dependabot rebase",
    f"@{SLUG}",
    f"@{SLUG} merge it",
    f"@{SLUG} frobnicate",
    f"@{SLUG} credits-now",
    f"@{SLUG} planned",
    "/credits for all of us",
    "/plan",
    "/help",
    "/credit",
    "/creditsworth",
    "//credits",
    "- /credits",
    f"* @{SLUG} plan",
    "1. /credits",
    "\\/credits",
    "**/credits**",
    "#credits",
    "<!--\n/credits\n-->",
    "credits",
    "LGTM",
)
"""Texts that ask nothing of us."""

PASTED_ANSWER: Final = "<!-- tallyhook:answer to={last} -->\n**olga** has enough credits.\n\n/credits"
"""What whoever copied the source of an answer of ours may write. `{last}` is some comment's id."""
