"""CLIP's tokens, and those of GAP's own prompts."""

import gzip
import zlib

import numpy as np
import pytest
from weight_files import write_vocabulary

from rgbd_jax.errors import UserError
from rgbd_jax.text.gap_prompts import read_gap_prompts
from rgbd_jax.text.tokenizer import CONTEXT, END, START, Tokenizer


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    return write_vocabulary(tmp_path_factory.mktemp("vocabulary") / "merges.txt.gz")


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    return Tokenizer(vocabulary)


@pytest.fixture(scope="module")
def reference(golden):
    return golden("gap/text.npz")


def test_the_reference_sentences(tokenizer, reference):
    tokens = tokenizer.encode([str(text) for text in reference["sentences"]], length=CONTEXT)
    assert tokens.dtype == np.int32
    np.testing.assert_array_equal(tokens, reference["tokens"])


def test_as_long_as_the_longest(tokenizer):
    tokens = tokenizer.encode(["x", "x x x", ""])
    assert tokens.shape == (3, 5)
    assert tokens[0].tolist() == [START, tokens[0, 1], END, 0, 0]
    assert tokens[2].tolist() == [START, END, 0, 0, 0]


def test_what_counts_as_the_same(tokenizer):
    """Capitals, spaces, typographic quotes and escaped or composed characters."""
    texts = ["Don't  turn &amp;amp; lift\n naïve", "don’t turn & lift nai\u0308ve"]
    first, second = tokenizer.encode(texts)
    np.testing.assert_array_equal(first, second)


def test_without_compression(tokenizer, vocabulary, tmp_path):
    plain = tmp_path / "merges.txt"
    plain.write_bytes(gzip.decompress(vocabulary.read_bytes()))
    np.testing.assert_array_equal(Tokenizer(plain).encode(["a cup"]), tokenizer.encode(["a cup"]))


def test_a_text_that_is_too_long(tokenizer):
    tokenizer.encode(["x " * (CONTEXT - 2)])
    with pytest.raises(UserError, match=r"text 'x x .*has 78 tokens; allowed are 77"):
        tokenizer.encode(["x", "x " * (CONTEXT - 1)])


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "there is no such file; CLIP's vocabulary is bpe_simple_vocab_16e6.txt.gz"),
        (b"\x1f\x8bbroken", "cannot be read as text"),
        (b"#version\na b\nabc\n", "line 3: found 'abc'; two symbols are needed"),
        (b"#version\na b\nc d", "has 2 merges; CLIP's vocabulary has 48894"),
    ],
)
def test_faults(tmp_path, content, message):
    path = tmp_path / "merges.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as error:
        Tokenizer(path)
    assert str(error.value).startswith(str(path)) and message in str(error.value)


@pytest.mark.parametrize("data_set, prefix", [("ntu", ""), ("ucla", "ucla_")])
def test_the_published_prompts(real_data, reference, data_set, prefix):
    folder = real_data / "gap_text"
    if not folder.is_dir():
        pytest.skip("there is no folder gap_text")
    tokenizer = Tokenizer(folder / "bpe_simple_vocab_16e6.txt.gz")
    prompts = read_gap_prompts(
        folder / f"{prefix}pasta_openai_t01.txt", folder / f"{prefix}synonym_openai_t01.txt"
    )

    def checksum(texts):
        return zlib.crc32(tokenizer.encode(texts, length=CONTEXT).astype("<i4").tobytes())

    parts = [[checksum([text]) for text in own.parts] for own in prompts.classes]
    np.testing.assert_array_equal(np.transpose(parts), reference[f"crc_{data_set}_parts"][1:])
    whole = [checksum(own.whole) for own in prompts.classes]
    np.testing.assert_array_equal(whole, reference[f"crc_{data_set}_synonyms"])
