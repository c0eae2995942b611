"""CLIP's tokens: byte pairs of lower-case text (Radford et al., ICML 2021; Sennrich et al., ACL 2016).

The vocabulary is a file of merges, one a line from the second on: CLIP's bpe_simple_vocab_16e6.txt.gz, or the
merges.txt that Hugging Face keeps beside the weights.
"""

import gzip
import html
import itertools
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from rgbd_jax.errors import UserError

CONTEXT = 77
NUM_MERGES = 48894
# Behind the bytes, the bytes that end a word, and the merges.
START, END = 2 * 256 + NUM_MERGES, 2 * 256 + NUM_MERGES + 1
_END_OF_WORD = "</w>"

_CONTRACTION = re.compile("'(?:s|t|re|ve|m|ll|d)")
# In a text whose letters have become l, numbers n, and all that is no space o.
_PIECE = re.compile("l+|n|o+")
_STRAIGHT = str.maketrans("‘’‚‛“”„‟", "''''\"\"\"\"")


class Tokenizer:
    """Turns texts into tokens as CLIP does. Text in a wrong encoding is not repaired."""

    def __init__(self, vocabulary: Path):
        """
        Args:
          vocabulary: the file of merges, also compressed by gzip.

        Raises:
          UserError: if there is no such file or it is not CLIP's vocabulary.
        """
        merges = _read_merges(vocabulary)
        self._symbols = _byte_symbols()
        single = list(self._symbols.values())
        tokens = [*single, *(symbol + _END_OF_WORD for symbol in single), *map("".join, merges)]
        self._numbers = {token: number for number, token in enumerate(tokens)}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}

    def encode(self, texts: Sequence[str], *, length: int | None = None) -> np.ndarray:
        """Tokens of texts, between the marks of start and end, with zeros behind.

        Args:
          length: L; the tokens of the longest text unless given.

        Returns:
          (N, L), int32.

        Raises:
          UserError: if a text has more tokens than CLIP's context.
        """
        rows = [[START, *itertools.chain.from_iterable(map(self._word, _words(text))), END] for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if len(row) > CONTEXT:
                raise UserError(
                    f"text {text[:60]!r}...: has {len(row)} tokens; allowed are {CONTEXT}, start and end"
                    " included"
                )
        tokens = np.zeros((len(rows), length or max(map(len, rows))), np.int32)
        for padded, row in zip(tokens, rows, strict=True):
            padded[: len(row)] = row
        return tokens

    def _word(self, word: str) -> list[int]:
        """The tokens of one word: of its neighbours, those with the earliest merge join first."""
        *symbols, last = (self._symbols[byte] for byte in word.encode())
        symbols = [*symbols, last + _END_OF_WORD]
        while len(symbols) > 1:
            best = min(itertools.pairwise(symbols), key=lambda pair: self._ranks.get(pair, NUM_MERGES))
            if best not in self._ranks:
                break
            symbols = _joined(symbols, best)
        return [self._numbers[symbol] for symbol in symbols]


def _read_merges(path: Path) -> list[tuple[str, str]]:
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    except FileNotFoundError:
        raise UserError(
            f"{path}: there is no such file; CLIP's vocabulary is bpe_simple_vocab_16e6.txt.gz of its"
            " published program, or merges.txt beside its weights on Hugging Face"
        ) from None
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read as text, or text compressed by gzip ({error})") from error
    lines = text.split("\n")[1 : NUM_MERGES + 1]
    merges = [tuple(line.split()) for line in lines]
    for number, merge in enumerate(merges, 2):
        if len(merge) != 2:
            raise UserError(
                f"{path}, line {number}: found {lines[number - 2][:40]!r}; two symbols are needed"
            )
    if len(merges) < NUM_MERGES:
        raise UserError(f"{path}: has {len(merges)} merges; CLIP's vocabulary has {NUM_MERGES}")
    return merges


def _byte_symbols() -> dict[int, str]:
    """The character that stands for each byte in the vocabulary, in the order of the tokens.

    Printable characters of Latin-1 stand for themselves, those from 256 on for the other bytes.
    """
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def _words(text: str) -> Iterator[str]:
    """Runs of letters, single digits, and runs of the rest; English contractions are cut off."""
    text = unicodedata.normalize("NFC", text.translate(_STRAIGHT))
    text = " ".join(html.unescape(html.unescape(text)).split()).lower()
    kinds = "".join(map(_kind, text))
    position = 0
    while position < len(text):
        match = _CONTRACTION.match(text, position) or _PIECE.match(kinds, position)
        if match:
            yield text[match.start() : match.end()]
        position = match.end() if match else position + 1


def _kind(character: str) -> str:
    if character.isspace():
        return " "
    return {"L": "l", "N": "n"}.get(unicodedata.category(character)[0], "o")


def _joined(symbols: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """The symbols with each occurrence of the pair, from the left, as one."""
    joined: list[str] = []
    place = 0
    while place < len(symbols):
        width = 2 if tuple(symbols[place : place + 2]) == pair else 1
        joined.append("".join(symbols[place : place + width]))
        place += width
    return joined
