"""Prompt and part files: YAML front matter, then text; and the folder that holds them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, cast

import yaml

from prompts.errors import PromptError
from prompts.near import suggest

_FRONT = re.compile(r"---\n(.*?)\n---(?:\n|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Source:
    """A file as it lies in the folder: `name` is its path without `.md`, `text` the whole of it."""

    name: str
    text: str

    def split(self) -> tuple[dict[str, Any], str]:
        """Return (front matter, body).

        Raises:
            PromptError: if there is no front matter, it is not a YAML mapping, or the file holds a NUL.
        """
        found = _FRONT.match(self.text)
        if found is None:
            raise PromptError(f"`{self.name}` has no front matter", "start the file with --- , YAML, ---")
        if "\x00" in self.text:
            raise PromptError(f"`{self.name}` holds a NUL character", "remove it")
        try:
            front = yaml.safe_load(found[1])
        except yaml.YAMLError as error:
            reason = " ".join(str(error).split())
            raise PromptError(f"the front matter of `{self.name}` is not YAML: {reason}", "mend the YAML") from error
        if not isinstance(front, dict):
            raise PromptError(f"the front matter of `{self.name}` is not a mapping", "write `key: value` lines")
        return cast(dict[str, Any], front), self.text[found.end() :]


@dataclass(frozen=True)
class Folder:
    """A folder with `library/` (one prompt a file) and `parts/<slot>/<filling>.md`."""

    root: Traversable

    def prompt(self, name: str) -> Source:
        """Read `library/<name>.md`.

        Raises:
            PromptError: if there is no such file; near matches and the whole list are in the message.
        """
        names = [source.name for source in self.prompts()]
        if name not in names:
            raise PromptError(f"no prompt has the id {name!r}", suggest(name, names))
        return Source(name, self._read(f"library/{name}.md"))

    def part(self, slot: str, filling: str) -> Source:
        """Read `parts/<slot>/<filling>.md`.

        Raises:
            PromptError: if there is no such file.
        """
        path = f"parts/{slot}/{filling}.md"
        if not self.root.joinpath(path).is_file():
            raise PromptError(f"slot `{slot}` allows {filling!r} but there is no {path}", "write the part file")
        return Source(f"{slot}/{filling}", self._read(path))

    def prompts(self) -> Iterator[Source]:
        """All files of the library, by name."""
        return self._walk("library")

    def parts(self) -> Iterator[Source]:
        """All parts, by name."""
        return self._walk("parts")

    def _walk(self, top: str) -> Iterator[Source]:
        for folder in sorted(self.root.joinpath(top).iterdir(), key=lambda entry: entry.name):
            if folder.is_dir():
                for name in sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".md")):
                    yield Source(f"{folder.name}/{name[:-3]}", self._read(f"{top}/{folder.name}/{name}"))

    def _read(self, path: str) -> str:
        return self.root.joinpath(path).read_text(encoding="utf-8").replace("\r\n", "\n")


def packaged() -> Folder:
    """The folder that ships with Thresher; it is read through `importlib.resources`, so a wheel or a zip will do."""
    return Folder(files("prompts"))
