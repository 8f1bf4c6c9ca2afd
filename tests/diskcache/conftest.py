"""The cache switched on, in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from hdsym.diskcache.files import FOLDER


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HDSYM_CACHE", "1")
    monkeypatch.setenv("HDSYM_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / FOLDER
