"""How outside text enters a prompt: cleaned, and between delimiters that it cannot close.

Two shapes. `fence` keeps the lines of a text and puts it between lines of three double quotes; `line` makes it one
line, for lists whose structure is made of lines. Whatever is written into a template passes one of them: `only_clean`,
the last step of every `{{ … }}`, refuses any other string.
"""

import re
import unicodedata

from jinja2 import Undefined

from prompts.errors import PromptError

DELIMITER = '"""'

_LINE_BREAKS = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_QUOTES = re.compile(r'"{3,}')
_CHAT_TOKEN_OPEN = re.compile(
    r"<(?=[|\uff5c])"  # <|im_end|> of Qwen, Llama 3, Phi, Granite; DeepSeek writes it with U+FF5C
    r"|<(?=/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|think|tool_call|tool_response|function_calls?)>)"
    r"|<(?=</?SYS>>)"
    r"|\[(?=/?(?:INST|AVAILABLE_TOOLS|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|ARGS|THINK|IMG)\])",
    re.IGNORECASE,
)
_CHAT_TOKEN_CLOSE = re.compile(r"(?<=[|\uff5c])>")


class Clean(str):
    """Text that may stand in a message: it holds no delimiter, no turn marker and no token of a chat template."""

    __slots__ = ()


def fence(text: object, second: object = "") -> Clean:
    """Put a text between delimiter lines, its own lines kept; a pair (`second` not empty) becomes two such blocks."""
    if second is None or second == "":
        return Clean(f"{DELIMITER}\n{clean(text)}\n{DELIMITER}")
    return Clean(f"Text 1:\n{fence(text)}\nText 2:\n{fence(second)}")


def line(text: object, second: object = "") -> Clean:
    """Make a text one line (each run of white space becomes a space); a pair becomes two numbered lines."""
    if second is None or second == "":
        return Clean(" ".join(clean(text).split()))
    return Clean(f"Text 1: {line(text)}\n  Text 2: {line(second)}")


def heading(text: object) -> Clean:
    """Make a text one line that starts with a capital; the other letters stay as they are."""
    words = line(text)
    return Clean(words[:1].upper() + words[1:])


def clean(text: object) -> str:
    """Take out of a text what could be read as structure; everything else stays as it was.

    Runs of three or more double quotes become single quotes; the control tokens of chat templates, which a server would
    obey inside a message, get a space (`<|…|>`, and those of other spelling that the families Qwen, Llama, Mistral,
    Gemma and DeepSeek know); other line breaks become `\\n`, lone surrogates become U+FFFD and control characters
    disappear.

    Raises:
        PromptError: if it is not a string.
    """
    if isinstance(text, Undefined):
        str(text)  # raises Jinja's own error, which names what is missing
    if not isinstance(text, str):
        raise PromptError(f"a text must be a string, got {type(text).__name__} {text!r:.60}", "pass the text itself")
    text = _LINE_BREAKS.sub("\n", text)
    text = "".join(map(_character, text)) if not text.isprintable() else text
    text = _QUOTES.sub(lambda run: "'" * len(run[0]), text)
    return _CHAT_TOKEN_CLOSE.sub(" >", _CHAT_TOKEN_OPEN.sub(r"\g<0> ", text))


def only_clean(value: object) -> object:
    """Let a number or a `Clean` text into a message; refuse everything else.

    Raises:
        PromptError: if a template writes a value that passed neither `fence` nor `line`.
    """
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, (Clean, int, float)):
        return value
    raise PromptError(
        f"a template writes {type(value).__name__} {value!r:.60} without a fence",
        "write {{ name | fence }} or {{ name | line }}",
    )


def _character(character: str) -> str:
    match unicodedata.category(character):
        case "Cs":
            return "\ufffd"
        case "Cc":
            return character if character in "\n\t" else ""
        case _:
            return character
