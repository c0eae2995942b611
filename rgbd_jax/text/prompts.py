"""Prompts: how the classes of a data set look, as a whole and part by part (GAP, ICCV 2023).

A file of prompts is text that people read and edit:

    # whatever helps the reader
    parts: {name}, {part}

    [drink water]
    global: a person lifts a cup to the mouth and drinks from it
    synonyms: sip water; take a drink
    head: the head tilts back
    hand: one arm bends and lifts the hand to the mouth
    hip: the hips stay still
    foot: the legs and feet stay still

`parts`, before the first class, says what is made of the name and the text of a part; what stands here is the
default, and as published. The texts of the whole are the name, the synonyms and the global description.
"""

import dataclasses
import string
from collections.abc import Iterable, Sequence
from pathlib import Path

from rgbd_jax.errors import UserError
from rgbd_jax.numbered_lines import Line, numbered_lines

# The parts of the body that have a text of their own; "hand" includes the arm and "foot" the leg.
PARTS = ("head", "hand", "hip", "foot")
KEYS = ("global", "synonyms", *PARTS)
NAMED_PART = "{name}, {part}"

# The files that come with the package, by data set: without their ending the names of prompts and features.
SHIPPED = {
    "ntu60": "ntu",
    "ntu120": "ntu",
    "ntu_rgbd": "ntu",
    "nw_ucla": "nw_ucla",
    "synthetic": "synthetic",
    "synthetic_rgbd": "synthetic",
}


@dataclasses.dataclass(frozen=True)
class ClassPrompts:
    """The texts of one class, in full.

    Attributes:
      name: of the class.
      whole: texts of the whole body, one of which is chosen at random for each sample and step.
      parts: a text for each of `PARTS`.
    """

    name: str
    whole: tuple[str, ...]
    parts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Prompts:
    """The texts of some classes, in the order of the labels.

    Attributes:
      place: the file that they come from, for messages.
    """

    place: str
    classes: tuple[ClassPrompts, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes."""
        return tuple(prompts.name for prompts in self.classes)

    @property
    def texts(self) -> tuple[str, ...]:
        """All different texts, in the order in which they first occur."""
        return tuple(dict.fromkeys(text for own in self.classes for text in (*own.whole, *own.parts)))

    def select(self, class_names: Sequence[str]) -> "Prompts":
        """The prompts of these classes, in this order; spaces and capitals of a name do not matter.

        Raises:
          UserError: if a class has no prompts.
        """
        found = {_key(prompts.name): prompts for prompts in self.classes}
        if missing := [name for name in class_names if _key(name) not in found]:
            raise UserError(
                f"{self.place}: describes {len(found)} classes ({', '.join(list(found)[:3])}, ...), but not"
                f" {len(missing)} of the {len(class_names)} of the data set, the first is {missing[0]!r}"
            )
        return Prompts(self.place, tuple(found[_key(name)] for name in class_names))


def prompt_file(source: str) -> Path:
    """The file that comes with the package for the data set `source`, or `source` itself, a path."""
    return (
        Path(__file__).with_name("prompts") / f"{SHIPPED[source]}.txt" if source in SHIPPED else Path(source)
    )


def read_prompts(path: Path) -> Prompts:
    """Read a file of prompts.

    Raises:
      UserError: if it cannot be read, a line is not understood, or a class lacks a text or occurs twice.
    """
    template = NAMED_PART
    header: Line | None = None
    texts: dict[str, str] = {}
    classes: list[ClassPrompts] = []
    for line in read_lines(path):
        if line.text.startswith("#"):
            continue
        if line.text.startswith("[") and line.text.endswith("]"):
            if header is not None:
                classes.append(_finish(header, texts, template))
            header, texts = line, {}
            if _key(_name(line)) in {_key(prompts.name) for prompts in classes}:
                raise UserError(f"{line}: the class {_name(line)!r} stands there for the second time")
            continue
        key, text = _split(line, KEYS if header else ("parts",))
        if header is None:
            template = _checked_template(line, text)
        elif key in texts:
            raise UserError(f"{line}: found {key} for the second time in the class {_name(header)!r}")
        else:
            texts[key] = text
    if header is None:
        raise UserError(f"{path}: has no class; a line [class name] begins one")
    return Prompts(str(path), (*classes, _finish(header, texts, template)))


def read_lines(path: Path) -> list[Line]:
    """The lines of a file of texts that are not empty. UserError if it cannot be read or has none."""
    return numbered_lines(path, needed="a description of each class")


def lacking(line: Line, name: str, keys: Iterable[str], allowed: Sequence[str]) -> UserError:
    """The error about a class without some of its texts."""
    return UserError(f"{line}: the class {name!r} lacks {', '.join(keys)}; each has {', '.join(allowed)}")


def _key(name: str) -> str:
    return " ".join(name.lower().split())


def _name(header: Line) -> str:
    return header.text[1:-1].strip()


def _split(line: Line, allowed: Sequence[str]) -> tuple[str, str]:
    key, colon, text = (part.strip() for part in line.text.partition(":"))
    if not colon or key not in allowed:
        raise UserError(
            f"{line}: found {line.text[:40]!r}; [class name] and `key: text` are understood, here the keys"
            f" {', '.join(allowed)}"
        )
    return key, text


def _checked_template(line: Line, text: str) -> str:
    try:
        # Nothing but the two names: what else `format` understands reaches far into the program.
        fields = {tuple(field) for _, *field in string.Formatter().parse(text) if field[0] is not None}
    except ValueError:
        fields = set()
    if not {("part", "", None)} <= fields <= {("part", "", None), ("name", "", None)}:
        raise UserError(f"{line}: found parts: {text}; a text with {{part}} and maybe {{name}} is needed")
    return text


def _finish(header: Line, texts: dict[str, str], template: str) -> ClassPrompts:
    name = _name(header)
    synonyms = tuple(filter(None, (text.strip() for text in texts.get("synonyms", "").split(";"))))
    empty = {key for key in KEYS if not texts.get(key)} | ({"synonyms"} if not synonyms else set())
    if empty:
        raise lacking(header, name, [key for key in KEYS if key in empty], KEYS)
    return ClassPrompts(
        name,
        (name, *synonyms, texts["global"]),
        tuple(template.format(name=name, part=texts[part]) for part in PARTS),
    )
