"""Label Studio's label configuration: the one for a task, and which control of a given one asks for the label."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from agent.domain import Task
from agent.errors import BadInput
from serving.exchange.history import BAD, CANNOT

_NO_XML = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")
_HINT = "take the configuration that this service gives: GET /label-studio/RUN/config"


@dataclass(frozen=True)
class Controls:
    """The names in a configuration: what is asked for the label, of which text, and what takes the other verdicts."""

    label: str = "label"
    text: str = "text"
    verdict: str = "verdict"


@dataclass
class _Choices:
    name: str
    to: str
    multiple: bool
    values: list[str] = field(default_factory=list[str])


def config_of(task: Task, *, pairs: bool) -> str:
    """The configuration for a task: its texts, a choice of its labels, and one of what may be said instead."""
    told = f"  <Header value={_quoted(task.guidelines)}/>\n" if task.guidelines else ""
    second = '  <Text name="text_b" value="$text_b"/>\n' if pairs else ""
    labels = "".join(_choice(card.name, card.description) for card in task.labels)
    return (
        f'<View>\n{told}  <Text name="text" value="$text"/>\n{second}'
        f'  <Choices name="label" toName="text" choice="single">\n{labels}  </Choices>\n'
        f'  <Choices name="verdict" toName="text" choice="single">\n{_choice(CANNOT)}{_choice(BAD)}  </Choices>\n'
        "</View>\n"
    )


def controls_of(config: str, names: Sequence[str]) -> Controls:
    """The controls of a configuration that was written by somebody else.

    Raises:
        BadInput: it is no XML, has no choice of the task's labels, or one of other labels.
    """
    found = _choices(config)
    verdict = next((each for each in found if each.values and set(each.values) <= {CANNOT, BAD}), None)
    asked = [each for each in found if each is not verdict]
    if len(asked) != 1:
        what = f"the label configuration has {len(asked)} controls <Choices>, where one is to ask for the label"
        raise BadInput(what, _HINT)
    (label,) = asked
    if unknown := [value for value in label.values if value not in names]:
        what = f"the label configuration has the choice {unknown[0][:60]!r}, no label of the task"
        raise BadInput(what, f"use {', '.join(names)}, or {_HINT}")
    if missing := [name for name in names if name not in label.values]:
        raise BadInput(f"the label configuration lacks the choice {missing[0]!r}", _HINT)
    if label.multiple:
        raise BadInput("the label configuration lets people choose several labels", 'set choice="single"')
    return Controls(label.name, label.to, verdict.name if verdict else "")


def _choices(config: str) -> list[_Choices]:
    """All `<Choices>` with their values. A document type, whose entities could unfold to gigabytes, is refused."""
    found: list[_Choices] = []

    def begun(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Choices":
            several = attributes.get("choice", "single") == "multiple"
            found.append(_Choices(attributes.get("name", ""), attributes.get("toName", ""), several))
        elif tag == "Choice" and found:
            found[-1].values.append(attributes.get("alias") or attributes.get("value", ""))

    def declared(*_: Any) -> None:
        raise BadInput("the label configuration declares a document type", "leave the declaration out")

    parser = expat.ParserCreate()
    parser.StartElementHandler = begun
    parser.StartDoctypeDeclHandler = declared
    try:
        parser.Parse(config, True)
    except (expat.ExpatError, ValueError) as error:
        raise BadInput(f"the label configuration is no XML: {error}", _HINT) from error
    return found


def _choice(value: str, hint: str = "") -> str:
    more = f" hint={_quoted(hint)}" if hint else ""
    return f"    <Choice value={_quoted(value)}{more}/>\n"


def _quoted(text: str) -> str:
    """As an attribute of XML, which reads line ends as spaces and has no place for other control characters."""
    plain = html.escape("".join(c if c in "\t\n\r" or _NO_XML.match(c) is None else "\ufffd" for c in text))
    return '"' + plain.replace("\n", "&#10;").replace("\t", "&#9;").replace("\r", "&#13;") + '"'
