"""Where certain characters stand in a text, a bit for each place: counted and found without listing all."""

import numpy as np

# Of the 64 bits that are read from the byte of any place on, up to 7 are of places before it.
_SEEN = 57


class Marks:
    """The characters of a text that are of one kind."""

    def __init__(self, is_marked: np.ndarray):
        """`is_marked`: (n,) bool, of each character whether it is of the kind."""
        bits = np.packbits(is_marked, bitorder="little")
        self._bytes = np.concatenate([bits, np.zeros(16 - len(bits) % 8, np.uint8)])
        self._words = self._bytes.view("<u8")
        self._number_before = np.append(0, np.cumsum(np.bitwise_count(self._words[:-1]), dtype=int))

    def number_before(self, places: np.ndarray) -> np.ndarray:
        """How many there are before each of some places, which are integers from 0 to n; (k,)."""
        words = places >> 6
        before = (np.uint64(1) << (places & 63).astype(np.uint64)) - np.uint64(1)
        return self._number_before.take(words) + np.bitwise_count(self._words.take(words) & before)

    def next(self, places: np.ndarray, number: int) -> np.ndarray | None:
        """Where the first `number` of them stand at or behind each of some places.

        Returns:
          (number, k) integers; None if those of one place do not all stand within 57 characters.
        """
        word_at = np.ndarray(len(self._bytes) - 7, "<u8", self._bytes, strides=(1,))
        left = word_at[places >> 3] >> (places & 7).astype(np.uint64)
        found = np.empty((number, len(places)), int)
        for row in found:
            below = left - np.uint64(1)
            np.add(places, np.bitwise_count(below & ~left), out=row)  # 64 if none is left
            left &= below
        return found if (found < places + _SEEN).all() else None
