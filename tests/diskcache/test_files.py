"""Files of the cache: whole or not at all, refused when anything of them is wrong, executed never."""

from __future__ import annotations

import hashlib
import hmac
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sympy as sp

import hdsym as hd
from hdsym.diskcache import codec, files
from hdsym.diskcache.folder import secret

KEY = "ab" * 32
KILLED = """
import os, signal, sys
from hdsym.diskcache import files

class Dying:
    def __init__(self, file): self.file = file
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def write(self, content):
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

key, text = "ab" * 32, sys.argv[1] * 200_000
if sys.argv[2] == "before":
    files.write(key, "formulas", text)
opened = os.fdopen
os.fdopen = lambda handle, mode="r", **options: Dying(opened(handle, mode, **options)) if mode == "wb" else opened(
    handle, mode, **options)
files.write(key, "formulas", sys.argv[1].upper() * 200_000)
"""


@pytest.mark.parametrize("earlier", ["before", "never"])
def test_a_process_killed_while_it_writes_leaves_the_old_text_or_none(earlier: str, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, "a", earlier], check=False)
    assert done.returncode == -signal.SIGKILL
    (half,) = folder.glob(".writing-*")
    assert 100_000 < half.stat().st_size < 101_000
    assert files.read(KEY, "formulas") == ("a" * 200_000 if earlier == "before" else None)
    assert files.write(KEY, "formulas", "new")
    assert files.read(KEY, "formulas") == "new"
    (abandoned,) = folder.glob(".writing-*")
    os.utime(abandoned, (1, 1))  # long ago: nobody is going to finish it
    files.write(KEY, "program", "new")
    assert not list(folder.glob(".writing-*"))


def forged(path: Path, body: bytes) -> bytes:
    """With a checksum that anybody can compute."""
    head = path.read_bytes().partition(b"\n")[0].split(b" ")
    return b" ".join([*head[:3], hashlib.sha256(body).hexdigest().encode()]) + b"\n" + body


def another(path: Path, _: str) -> bytes:
    """The whole entry of another model."""
    hd.derive(hd.zoo.phase_retrieval()).source  # noqa: B018
    (other,) = (p for p in path.parent.glob(f"*-{path.name.partition('-')[2]}") if p != path)
    return other.read_bytes()


HOSTILE = "import pathlib; pathlib.Path('owned').write_text('')"
DAMAGE: dict[str, Callable[[Path, str], bytes]] = {
    "empty": lambda path, _: b"",
    "half": lambda path, _: path.read_bytes()[: path.stat().st_size // 2],
    "without the last byte": lambda path, _: path.read_bytes()[:-1],
    "one bit flipped": lambda path, _: (
        path.read_bytes()[:-9] + bytes([path.read_bytes()[-9] ^ 1]) + path.read_bytes()[-8:]
    ),
    "longer": lambda path, _: path.read_bytes() + b" ",
    "not text": lambda path, _: b"\xff\xfe" * 100,
    "another entry": another,
    "forged": lambda path, _: forged(path, HOSTILE.encode()),
    "another part": lambda path, part: path.read_bytes().replace(part.encode(), b"other", 1),
}


@pytest.mark.parametrize("part", ["formulas", "solver-numpy"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_no_entry_and_is_replaced(
    damage: str, part: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = hd.derive(hd.zoo.least_squares())
    source = first.source
    (path,) = folder.glob(f"*-{part}.hdsym")
    sound = path.read_bytes()
    path.write_bytes(DAMAGE[damage](path, part))
    again = hd.derive(hd.zoo.least_squares())
    assert (again, again.source) == (first, source)
    again.module  # noqa: B018  # which executes it
    assert path.read_bytes() == sound
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    "nodes",
    [
        [[["Symbol", HOSTILE, []], ["sin", 0]], [["expr", 1]], 0],  # a symbol of this name, and no more
        [[["sin", HOSTILE]], [["expr", 0]], 0],
        [[["integer", "__import__('os')"]], [["expr", 0]], 0],
        [[["Add", 5]], [["expr", 0]], 0],
        [[["eval", 0]], [["expr", 0]], 0],
        [[["__class__"]], [["expr", 0]], 0],
        [[], [["str", HOSTILE], ["system", 0]], 1],
        [[], [["tuple", 0]], 0],
        {"nodes": HOSTILE},
        [[[]], [], 0],
    ],
)
def test_text_in_a_file_is_never_executed(nodes: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even with a right signature: names choose from a list, and strings are names."""
    import json

    monkeypatch.chdir(tmp_path)
    try:
        found = codec.decode(json.dumps(nodes))
    except codec.NotStorableError:
        pass
    else:
        assert found == sp.sin(sp.Symbol(HOSTILE))
    assert not Path("owned").exists()


def test_a_signed_entry_with_another_content_is_made_again(folder: Path) -> None:
    first = hd.derive(hd.zoo.least_squares())
    files.write(first.kept.key, "formulas", "[[],[],0]")
    assert hd.derive(hd.zoo.least_squares()) == first
    assert files.read(first.kept.key, "formulas") == codec.encode(first.formulas)


@pytest.mark.parametrize("what", ["folder", "key", "key readable", "owner"])
def test_a_folder_that_others_can_write_is_not_used(what: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hd.derive(hd.zoo.least_squares())
    assert first.kept.key
    assert files.read(first.kept.key, "formulas")
    assert (folder.stat().st_mode & 0o777, (folder / "key").stat().st_mode & 0o777) == (0o700, 0o600)
    if what == "folder":
        folder.chmod(0o777)
    elif what == "key":
        (folder / "key").chmod(0o622)
    elif what == "key readable":  # a key that others have seen signs nothing
        (folder / "key").chmod(0o644)
    else:
        own = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: own + 1)
    assert files.read(first.kept.key, "formulas") is None
    assert not files.write(KEY, "formulas", "text")
    assert hd.derive(hd.zoo.least_squares()) == first


def test_a_link_in_the_place_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.parent.mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    assert not files.write(KEY, "formulas", "text")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_the_signature_is_an_hmac_of_key_part_and_text(folder: Path) -> None:
    files.write(KEY, "formulas", "text\nof two lines")
    (path,) = folder.glob("*.hdsym")
    head, _, body = path.read_bytes().partition(b"\n")
    signed, _, signature = head.rpartition(b" ")
    assert body == b"text\nof two lines"
    assert signature == hmac.new(secret(folder), signed + b"\n" + body, hashlib.sha256).hexdigest().encode()


def test_what_was_not_used_for_longest_goes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, part in enumerate(("first", "second", "third")):
        files.write(KEY, part, "x" * 1000)
        os.utime(next(folder.glob(f"*-{part}.hdsym")), (number, number))
    assert files.read(KEY, "first") is not None  # used now
    monkeypatch.setattr(files, "LARGEST", 3500)
    files.write(KEY, "fourth", "x" * 1000)
    assert {entry.path.name.partition("-")[2] for entry in files.entries()} == {
        f"{part}.hdsym" for part in ("first", "third", "fourth")
    }
    assert files.clear() == 3
    assert not list(folder.iterdir())


def test_names_of_parts_cannot_leave_the_folder() -> None:
    with pytest.raises(ValueError, match="would not be a file of the cache"):
        files.write(KEY, "../../elsewhere", "text")


@pytest.mark.parametrize(
    "value",
    [
        (1, 1.0, True, None, "text", (), (0, False)),
        sp.Add(sp.Symbol("a"), sp.Mul(2, sp.Symbol("a") + 1, evaluate=False), evaluate=False),
        sp.Mul(2, sp.Add(1, sp.Symbol("u", positive=True)), evaluate=False),
        sp.Float("0.1", 30) * sp.Symbol("u"),
        sp.exp(sp.Symbol("u", real=True)) ** 2 - sp.E + sp.I * sp.pi / 3,
        sp.Max(sp.Symbol("a"), sp.Symbol("b"), 0),
        sp.Matrix(2, 3, sp.symbols("a:6")).as_immutable(),
        sp.Integer(10) ** 400,
        (sp.Integer(1), sp.Rational(-1, 3), sp.oo, -sp.oo, sp.nan, sp.zoo),
    ],
)
def test_values_come_back_as_they_were(value: object) -> None:
    again = codec.decode(codec.round_trip(value))
    assert sp.srepr(again) == sp.srepr(value)
    assert again is value or type(again) is type(value)


@pytest.mark.parametrize("value", [sp.Dummy("d"), sp.Function("f")(1), [1], {1: 2}, object(), sp.Matrix([1])])
def test_what_has_no_place_in_the_vocabulary_is_not_stored(value: object) -> None:
    with pytest.raises(codec.NotStorableError):
        codec.round_trip(value)
