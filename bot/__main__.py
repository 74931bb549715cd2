"""The program: `tallyhook`, or `python -m bot`."""


def main() -> None:
    """Run the command that the arguments name."""
    from bot.cli.program import program

    program(prog_name="tallyhook")


if __name__ == "__main__":
    main()
