"""Labelled arrays on disk: netCDF through h5netcdf, with every attribute in a form that netCDF can hold."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import FileFormatError

if TYPE_CHECKING:
    import xarray as xr

    from .describe.origin import Recipe

__all__ = ["KIND", "decode", "encode", "read", "read_recipe", "versions", "write"]

KIND = "hdsym_kind"
_FORMAT = "hdsym_format"
_VERSION = 1
_GROUP, _TEXT = "origin", "description"
_JSON = "json:"
_LARGEST = 50_000_000
"""Bytes of mode-resolved Gram matrices up to which a file holds them."""


def encode(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as netCDF has them: text, 64-bit integers and finite floats as they are, all else as ``json:...``."""
    return {str(name): _encode(value) for name, value in attrs.items()}


def decode(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """The attributes :func:`encode` was given, tuples as lists."""
    return {str(name): _decode(value) for name, value in attrs.items()}


def _encode(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str) and not value.startswith(_JSON):
        return value
    if isinstance(value, float) and np.isfinite(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    return _JSON + json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return dict(value) if isinstance(value, Mapping) else str(value)


def _decode(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str) and value.startswith(_JSON):
        return json.loads(value[len(_JSON) :])
    return value


def versions() -> dict[str, str]:
    """Versions that a result depends on, without importing anything."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    """Read once: parsing metadata takes as long as a small solution."""
    import platform
    from importlib import metadata

    from . import __version__

    found = {name: metadata.version(name) for name in ("numpy", "scipy", "sympy", "numba")}
    machine = f"{platform.system()} {platform.machine()}"
    return {"hdsym": __version__, "python": platform.python_version(), **found, "machine": machine}


def write(dataset: xr.Dataset, file: str | os.PathLike[str], kind: str, recipe: Recipe | None = None) -> Path:
    """Write a dataset; the file appears whole or not at all. Large ``grams`` are left out, and an attribute says so.

    A recipe is put into a group of its own.
    """
    path = Path(file)
    if "grams" in dataset and dataset["grams"].nbytes > _LARGEST:
        size = dataset["grams"].nbytes / 1e6
        dataset = dataset.drop_dims("mode")
        dataset.attrs["grams_omitted"] = f"{size:.0f} MB of mode-resolved Gram matrices, kept in memory only"
    dataset = dataset.assign_attrs({KIND: kind, _FORMAT: _VERSION})
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        dataset.to_netcdf(temporary, engine="h5netcdf")
        if recipe is not None:
            _as_dataset(recipe).to_netcdf(temporary, engine="h5netcdf", group=_GROUP, mode="a")
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


def _as_dataset(recipe: Recipe) -> xr.Dataset:
    import xarray as xr

    arrays = {name: ([f"{name}_{k}" for k in range(array.ndim)], array) for name, array in recipe.arrays.items()}
    return xr.Dataset({**arrays, _TEXT: ((), recipe.text)})  # an attribute could not be long


def read_recipe(file: str | os.PathLike[str]) -> Recipe | None:
    """How the result in a file was computed; ``None`` if it does not say so, as those of earlier versions."""
    import xarray as xr

    from .describe.origin import Recipe

    try:
        with xr.open_dataset(Path(file), engine="h5netcdf", group=_GROUP) as found:
            loaded = found.load()
    except (OSError, KeyError, ValueError):
        return None
    arrays = {str(name): loaded[name].values for name in loaded.data_vars if name != _TEXT}
    return Recipe(str(loaded[_TEXT].values), arrays) if _TEXT in loaded else None


def read(file: str | os.PathLike[str]) -> tuple[str, xr.Dataset]:
    """Kind and dataset of a file that hdsym wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileFormatError
        If it is not one of ours, or from a newer version.
    """
    import xarray as xr

    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        dataset = xr.load_dataset(path, engine="h5netcdf")
    except Exception as error:  # h5netcdf, h5py and xarray each have their own
        raise FileFormatError(
            f"{path} is not a netCDF file: {error}", remedy="give a file written by .save(...)"
        ) from error
    kind, version = dataset.attrs.pop(KIND, None), dataset.attrs.pop(_FORMAT, None)
    if not isinstance(kind, str) or version is None:
        raise FileFormatError(f"{path} was not written by hdsym", remedy="give a file written by .save(...)")
    if int(version) > _VERSION:
        raise FileFormatError(f"{path} has format {version}, this hdsym reads {_VERSION}", remedy="upgrade hdsym")
    return kind, dataset
