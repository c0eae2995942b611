"""From prompts to a file of features, by the command."""

import subprocess
import sys
import types

import numpy as np
import pytest

from rgbd_jax.embed import main
from rgbd_jax.errors import UserError
from rgbd_jax.text.features import read_features
from rgbd_jax.text.source import feature_table, find_prompts, token_table


class Encoder:
    """Counts letters."""

    def __init__(self, name, device):
        assert (name, device) == ("models/letters", "cpu")

    def encode(self, texts, show_progress_bar):
        return np.array([[text.count(letter) + 1 for letter in "abcd"] for text in texts])


@pytest.fixture(autouse=True)
def library(monkeypatch):
    module = types.ModuleType("sentence_transformers")
    module.SentenceTransformer = Encoder
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)


def test_features_of_shipped_prompts(tmp_path, capsys):
    path = tmp_path / "new" / "letters.npz"
    main(["nw_ucla", "--encoder=models/letters", f"--output={path}"])
    assert "110 texts of 10 classes in vectors of 4, by letters" in capsys.readouterr().out
    prompts = find_prompts("nw_ucla")
    vectors = read_features(path, prompts, encoder="letters", width=4)
    assert vectors[prompts.texts.index("carry")].tolist() == [2, 1, 2, 1]
    table = feature_table(prompts, prompts.names[::-1], str(path))
    assert table.rows.shape == (110, 4) and table.whole.shape == (10, 7)
    assert [file.name for file in path.parent.iterdir()] == ["letters.npz"]


def test_features_of_gaps_files(tmp_path):
    (tmp_path / "parts.txt").write_text("wave;a;b;c;d;e;f")
    (tmp_path / "synonyms.txt").write_text("wave,greet")
    files = [str(tmp_path / "parts.txt"), f"--synonyms={tmp_path / 'synonyms.txt'}"]
    main([*files, "--encoder=models/letters", f"--output={tmp_path / 'letters.npz'}"])
    prompts = find_prompts(files[0], files[1].partition("=")[2])
    assert prompts.texts == ("wave", "greet", "wave,a", "waveb,c", "wave,d", "wave,e,f")
    assert read_features(tmp_path / "letters.npz", prompts).shape == (6, 4)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"--output=.*letters\.txt: a name that ends in \.npz is needed"):
        main(["nw_ucla", "--encoder=models/letters", f"--output={tmp_path / 'letters.txt'}"])


def test_a_class_without_description_stops_before_the_vocabulary_is_read():
    with pytest.raises(UserError, match="first is 'swim'"):
        token_table(find_prompts("nw_ucla"), ("throw", "swim"), "no_such_file")


def test_who_only_reads_features_needs_no_encoder():
    program = (
        "import sys; sys.modules.update(torch=None, sentence_transformers=None);"
        "from rgbd_jax.text.source import feature_table, find_prompts;"
        "print(feature_table(find_prompts('ntu60'), ('drop', 'throw'), 'ntu60').rows.shape)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "(22, 384)\n"
