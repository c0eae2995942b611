"""The text files that GAP publishes (ICCV 2023), one class a line in the order of the labels.

The file of parts has seven fields between semicolons: name; head; hand; arm; hip; leg; foot. The file of
synonyms has the name and words for the same, between commas. The blanks within a line stay, so that the
prompts are the published ones.
"""

from pathlib import Path

from rgbd_jax.errors import UserError
from rgbd_jax.numbered_lines import Line
from rgbd_jax.text.prompts import ClassPrompts, Prompts, lacking, read_lines

FIELDS = ("name", "head", "hand", "arm", "hip", "leg", "foot")


def read_gap_prompts(parts: Path, synonyms: Path) -> Prompts:
    """Read the pair of files.

    Raises:
      UserError: if one cannot be read, a line lacks a field, or the files are not of the same classes.
    """
    part_lines, synonym_lines = read_lines(parts), read_lines(synonyms)
    if len(part_lines) != len(synonym_lines):
        raise UserError(
            f"{synonyms}: has {len(synonym_lines)} lines, {parts} has {len(part_lines)}; each has one a class"
        )
    return Prompts(str(parts), tuple(map(_class_prompts, part_lines, synonym_lines)))


def _class_prompts(part_line: Line, synonym_line: Line) -> ClassPrompts:
    fields = part_line.text.split(";")
    if len(fields) != len(FIELDS):
        raise UserError(
            f"{part_line}: found {len(fields)} fields between semicolons; {'; '.join(FIELDS)} are needed"
        )
    name, head, hand, arm, hip, leg, foot = fields
    if missing := [key for key, field in zip(FIELDS, fields, strict=True) if not field.strip()]:
        raise lacking(part_line, name, missing, FIELDS)
    whole = tuple(synonym_line.text.split(","))
    if whole[0].strip() != name.strip():
        raise UserError(
            f"{synonym_line}: found the class {whole[0]!r}; {part_line} has {name!r}, and both must agree"
        )
    # As published: no comma stands between the name and the text of the hand.
    return ClassPrompts(
        name, whole, (f"{name},{head}", f"{name}{hand},{arm}", f"{name},{hip}", f"{name},{leg},{foot}")
    )
