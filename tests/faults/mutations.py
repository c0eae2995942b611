"""What may happen to a file on its way: bits that flip, ends that are lost, lines that are doubled; and what
somebody may write into it on purpose."""

import io
import json
import random
import re
import zipfile
from collections.abc import Callable, Sequence

# Numbers at the limits of what programs hold them in, and beyond; and what only looks like one.
EXTREMES = [
    "0",
    "-0",
    "-1",
    "1",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "1e38",
    "3.5e38",
    "1e308",
    "1e400",
    "-1e400",
    "1e-400",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "0x10",
    "1_0",
    "٣",
    "1,5",
    "1e",
    "true",
    "null",
] + ["9" * 30, "9" * 5000, ""]
# What has a meaning to one reader or another.
PIECES = [
    *(
        b"\0",
        b"\n",
        b"\r",
        b"\r\n",
        b"\x1b[2J",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x85",
        "\u2028".encode(),
        b" ",
    ),
    *(b"[", b"]", b"{", b"}", b'"', b"'", b",", b":", b";", b"/", b"\\", b"..", b"../../", b"%", b"{}", b"-"),
    *(b"[" * 3000, b'{"a":' * 3000, b"a" * 300, b"/" + b"b" * 300, b"/x" * 5000, b"PK\x05\x06", b"\x1f\x8b"),
]
_NUMBER = re.compile(rb"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")

Change = Callable[[bytes, Sequence[bytes], random.Random], bytes]


def mutated(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A file with one to four changes.

    Args:
      others: files of the same kind, parts of which may get into this one.
    """
    for _ in range(rng.choice((1, 1, 2, 4))):
        within = _within(content)
        change = rng.choice((within,) * 2 + CHANGES if within else CHANGES)
        content = change(content, others, rng)
    return content


def _flip(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 16))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    first, end = _span(content, rng)
    return rng.choice((content[:first], content[first:], content[:first] + content[end:]))


def _insert(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    place = rng.randint(0, len(content))
    return content[:place] + rng.choice((rng.choice(PIECES), rng.randbytes(4))) + content[place:]


def _overwrite(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A few bytes with what integers of that size may be at most, where sizes may be stored."""
    size = rng.choice((1, 2, 4, 8))
    place = rng.randint(0, max(0, len(content) - size))
    value = rng.choice((bytes(size), b"\xff" * size, b"\xff" * (size - 1) + b"\x7f", rng.randbytes(size)))
    return content[:place] + value + content[place + size :]


def _number(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    if not (numbers := list(_NUMBER.finditer(content))):
        return content
    first, end = rng.choice(numbers).span()
    return content[:first] + rng.choice(EXTREMES).encode() + content[end:]


def _lines(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    first, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            lines.insert(other, lines[first])
        case 1:
            del lines[first]
        case 2:
            lines[first], lines[other] = lines[other], lines[first]
        case _:
            lines[first:] = lines[first : first + 1] * 50
    return b"\n".join(lines)


def _fields(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    fields = re.split(rb"([\s,:;]+)", content)
    first, other = rng.randrange(len(fields)), rng.randrange(len(fields))
    fields[first], fields[other] = fields[other], fields[first]
    return b"".join(fields)


def _splice(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    other = rng.choice([*others, content])
    (first, _), (place, end) = _span(content, rng), _span(other, rng)
    return content[:first] + other[place:end] + content[first:]


CHANGES: tuple[Change, ...] = (
    *(_flip, _cut, _insert, _overwrite, _number, _number, _lines, _fields, _splice),
)


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    first, end = sorted((rng.randint(0, len(content)), rng.randint(0, len(content))))
    return first, end


def _within(content: bytes) -> Change | None:
    """What changes a part of a file whose checksums or lengths would give every other change away."""
    if content.startswith(b"PK"):
        return _member
    length = int.from_bytes(content[:8], "little")
    return _header if content[8:9] == b"{" and length <= len(content) - 8 else None


def _member(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Changes a file of an archive, which then has the right checksum."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {info.filename: archive.read(info) for info in archive.infolist()}
    except Exception:  # an earlier change has seen to that
        return content
    if not files:
        return content
    name = rng.choice(list(files))
    if rng.random() < 0.1:
        files[rng.choice((name + "x", f"../{name}", "joints.npy"))] = files.pop(name)
    else:
        files[name] = rng.choice(CHANGES)(files[name], list(files.values()), rng)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, inner in files.items():
            archive.writestr(name, inner)
    return packed.getvalue()


def _header(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Changes the header of a .safetensors, which then has the right length."""
    length = int.from_bytes(content[:8], "little")
    header = rng.choice(CHANGES)(content[8 : 8 + length], [json.dumps({}).encode()], rng)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]
