"""The prompts that come with the package describe every class, and faults of a file are named by line."""

import pytest

from rgbd_jax.data.builders import BUILDERS
from rgbd_jax.data.synthetic.actions import ACTIONS
from rgbd_jax.errors import UserError
from rgbd_jax.models.text_heads import TEXT_FEATURES
from rgbd_jax.text.prompts import PARTS, SHIPPED, ClassPrompts, prompt_file, read_prompts

WAVE = """\
[wave]
global: a person waves
synonyms: wave hello; wave goodbye
head: the head stays still
hand: one hand is raised
hip: the hips stay still
foot: the legs stay still
"""


def test_the_parts_are_those_of_the_network():
    assert ("global", *PARTS) == TEXT_FEATURES


@pytest.mark.parametrize("data_set, count", [("ntu120", 120), ("nw_ucla", 10), ("synthetic", 10)])
def test_each_class_that_comes_with_the_package(data_set, count):
    prompts = read_prompts(prompt_file(data_set))
    assert len(prompts.classes) == count
    for own in prompts.classes:
        assert own.whole[0] == own.name
        assert len(set(own.whole)) == len(own.whole) >= 5, own.name
        assert len(own.parts) == len(PARTS)


@pytest.mark.parametrize("data_set", sorted(set(SHIPPED) & set(BUILDERS)))
def test_the_classes_of_the_data_sets(data_set):
    names = BUILDERS[data_set].CLASS_NAMES
    assert read_prompts(prompt_file(data_set)).select(names).names == tuple(names)


def test_generated_movements_are_described_by_the_same_words():
    """Arms, trunk, head and legs that move alike have one text, and others another."""
    prompts = read_prompts(prompt_file("synthetic")).select(tuple(ACTIONS))

    def movement(action, *places):
        return sorted(ACTIONS[action][place] for place in places if place in ACTIONS[action])

    places = {
        "head": ("head",),
        "hand": ("left arm", "right arm"),
        "hip": ("trunk",),
        "foot": ("left leg", "right leg"),
    }
    for i, part in enumerate(PARTS):
        meanings = {}
        for own in prompts.classes:
            meanings.setdefault(own.parts[i], []).append(movement(own.name, *places[part]))
        assert all(found.count(found[0]) == len(found) for found in meanings.values()), part
        assert len(meanings) == len({str(found[0]) for found in meanings.values()}), part


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(f"\ufeff# Mine.\n\n{WAVE}", encoding="utf-8")
    parts = ("the head stays still", "one hand is raised", "the hips stay still", "the legs stay still")
    expected = ClassPrompts(
        "wave",
        ("wave", "wave hello", "wave goodbye", "a person waves"),
        tuple(f"wave, {part}" for part in parts),
    )
    assert read_prompts(path).classes == (expected,)
    path.write_text(f"parts: {{part}}\n{WAVE}")
    assert read_prompts(path).classes[0].parts == parts


def test_texts_are_listed_once(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(f"parts: {{part}}\n{WAVE}{WAVE.replace('wave', 'greet')}")
    prompts = read_prompts(path)
    assert len(prompts.texts) == len(set(prompts.texts)) == 4 + 4 + 4
    assert prompts.select([" Greet"]).names == ("greet",)


@pytest.mark.parametrize(
    "text, message",
    [
        (
            WAVE.replace("hip: the hips stay still\n", ""),
            "line 1: the class 'wave' lacks hip; each has global,",
        ),
        (WAVE.replace("the hips stay still", ""), "line 1: the class 'wave' lacks hip;"),
        (WAVE.replace("wave hello; wave goodbye", " ; "), "line 1: the class 'wave' lacks synonyms;"),
        (
            f"{WAVE}\n[walk]\nhead: it moves\n",
            "line 9: the class 'walk' lacks global, synonyms, hand, hip, foot;",
        ),
        (f"{WAVE}head: again\n", "line 8: found head for the second time in the class 'wave'"),
        (f"{WAVE}{WAVE}", "line 8: the class 'wave' stands there for the second time"),
        (f"{WAVE}arm: bends\n", "line 8: found 'arm: bends'"),
        (f"{WAVE}the arm bends\n", "line 8: found 'the arm bends'"),
        (f"head: it moves\n{WAVE}", "line 1: found 'head: it moves'"),
        (f"parts: {{name}} {{arm}}\n{WAVE}", "line 1: found parts: {name} {arm}"),
        (f"parts: only this\n{WAVE}", "line 1: found parts: only this"),
        ("# nothing but this\n", "has no class"),
        ("\n\n", "is empty"),
    ],
)
def test_faults(tmp_path, text, message):
    path = tmp_path / "mine.txt"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_prompts(path)
    assert str(error.value).startswith(str(path)) and message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_class_without_description(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(WAVE)
    with pytest.raises(
        UserError, match=r"mine\.txt: describes 1 classes .* not 2 of the 3 .* first is 'walk'"
    ):
        read_prompts(path).select(["wave", "walk", "run"])


def test_no_file(tmp_path):
    with pytest.raises(UserError, match=r"mine\.txt: cannot be read \(No such file"):
        read_prompts(tmp_path / "mine.txt")
    (tmp_path / "mine.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"mine\.txt: is no text file"):
        read_prompts(tmp_path / "mine.txt")
