"""The settings file (`.env`): read as the settings read it, changed line by line, and replaced whole or not at all."""

import io
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dotenv.parser import Binding, parse_stream

from bot.cli.failures import CommandError

_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9_./:@%+=,~-]*")
_ONLY_OWNER: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFile:
    """A settings file as it stood when it was read.

    Attributes:
        path: where it lies; the file that a symbolic link points to.
        text: its content, "" if there is no file yet.
    """

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> "EnvironmentFile":
        """Read the file, or begin an empty one; make sure that its directory can be written to.

        Raises:
            CommandError: the file can't be read, or the directory can't be written to.
        """
        path = path.resolve()
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(
                f"{path} can't be read: {error}", "Repair the file, or name another with --file."
            ) from error
        if not os.access(path.parent, os.W_OK):
            raise CommandError(
                f"{path.parent} can't be written to.", "Run the command where it can, or name another --file."
            )
        return cls(path=path, text=text)

    def values(self) -> dict[str, str]:
        """Return the settings in it. Of one that stands there twice the last counts."""
        return {binding.key: binding.value or "" for binding in self._bindings() if binding.key is not None}

    def with_values(self, changes: Mapping[str, str]) -> str:
        """Return the content with these settings in it; comments, order and everything else stay."""
        lines: list[str] = []
        written: set[str] = set()
        for binding in self._bindings():
            if binding.key is None or binding.key not in changes:
                lines.append(binding.original.string)
            elif binding.key not in written:
                leading = binding.original.string[
                    : len(binding.original.string) - len(binding.original.string.lstrip())
                ]
                lines.append(f"{leading}{_assignment(binding.key, changes[binding.key])}")
                written.add(binding.key)
        if lines and not lines[-1].endswith("\n"):
            lines.append("\n")
        lines.extend(_assignment(key, value) for key, value in changes.items() if key not in written)
        return "".join(lines)

    def write(self, changes: Mapping[str, str], *, now: datetime) -> Path | None:
        """Put these settings into the file, readable by its owner only, and return where the old content was kept.

        The new file takes the old one's place in one step, so a crash leaves either the old or the new one.
        """
        backup = self._keep(now) if self.text else None
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f"{self.path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(self.with_values(changes))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return backup

    def _keep(self, now: datetime) -> Path:
        """Copy the old content beside the file, and return where."""
        moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        backup = self.path.with_name(f"{self.path.name}.backup-{moment}")
        descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _ONLY_OWNER)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.text)
        return backup

    def _bindings(self) -> list[Binding]:
        """Return the file's lines, taken apart by the very parser that the settings use."""
        return list(parse_stream(io.StringIO(self.text)))


def _assignment(key: str, value: str) -> str:
    """Return the line that sets a value, quoted if it has to be."""
    if _PLAIN_VALUE.fullmatch(value):
        return f"{key}={value}\n"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'\n"
