"""A page as data: sections of sentences, tables, figures and pairs. One template draws them all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from evaluation.table import Sheet

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Figure:
    """A picture, which is also a file of its own."""

    name: str
    """Of the file, without its ending."""
    svg: str


@dataclass(frozen=True)
class Block:
    """One part of a section; what is empty is not drawn."""

    title: str = ""
    lines: tuple[str, ...] = ()
    """Paragraphs, before everything else."""
    figures: tuple[Figure, ...] = ()
    small: bool = False
    """Whether the figures are narrow ones."""
    caption: str = ""
    sheet: Sheet | None = None
    pairs: Pairs = ()
    bullets: tuple[str, ...] = ()
    folded: Mapping[str, str] = field(default_factory=dict[str, str])
    """Long texts by their titles, shown when they are opened."""
    note: str = ""
    """A quiet line at the end."""

    def __bool__(self) -> bool:
        parts = (self.lines, self.figures, self.pairs, self.bullets, self.folded)
        return any(parts) or (self.sheet is not None and bool(self.sheet.rows))


@dataclass(frozen=True)
class Section:
    """A chapter of the page; one whose blocks are all empty is not drawn."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]

    def __bool__(self) -> bool:
        return any(self.blocks)


@dataclass(frozen=True)
class Document:
    """A whole page."""

    title: str
    tone: str
    """What the first box says, by colour: gain, loss, none, mixed or unknown."""
    finding: str
    sentences: tuple[str, ...]
    facts: Pairs
    """Number and what it counts."""
    sections: tuple[Section, ...]
    inks: tuple[object, ...] = ()
    """Colours of the arms, as `evaluation.palette` gives them."""

    @property
    def figures(self) -> Iterator[Figure]:
        for section in self.sections:
            for block in section.blocks:
                yield from block.figures
