"""Pictures for papers: SVG as PNG, by a library that brings its own fonts and needs no browser."""

from importlib import import_module
from typing import Any

from agent.errors import BadInput

SCALE = 3.0
"""A picture 520 wide comes out 1560 pixels wide: 300 dots an inch over 13 cm."""


def png(svg: str) -> bytes:
    """Raises BadInput where the library is missing."""
    return bytes(_library().svg_to_png(svg, scale=SCALE))


def can_draw() -> bool:
    """Whether the library is there."""
    try:
        _library()
    except BadInput:
        return False
    return True


def _library() -> Any:
    try:
        return import_module("vl_convert")
    except ImportError as error:
        raise BadInput("PNG files need the library vl-convert", "pip install 'thresher[png]'") from error
