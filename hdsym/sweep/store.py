"""A sweep on disk: a Zarr group that xarray opens, one chunk a block, and what tells whether a block is whole.

Every finished block has a group ``blocks/<number>`` with the SHA-256 of its arrays, written after them. Nothing in a
store is executed or unpickled: it holds numbers, texts and JSON.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import storage
from ..errors import FileFormatError, SweepError
from .identity import difference
from .layout import Layout
from .plan import Block, Plan
from .results import attributes, coordinates, dimensions

if TYPE_CHECKING:
    from ..results import Trajectory

__all__ = ["Store", "recorded_seed"]

_KIND = "Sweep"
_REASON = "reason"


class Store:
    """The store at a path, which is made if there is none.

    Parameters
    ----------
    path:
        A folder.
    plan, sample:
        The sweep, and a solution that shows what its statistics are.
    identity:
        What the sweep is; a store of another one is refused.
    layout:
        Blocks of a new store; an old one keeps its own.

    Raises
    ------
    SweepError
        If zarr is not installed, or the store belongs to another sweep.
    FileFormatError
        If the folder holds something else, or its metadata is damaged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        plan: Plan,
        sample: Trajectory,
        identity: Mapping[str, Any],
        layout: Layout,
    ) -> None:
        self.path, self.plan, self.zarr = Path(path), plan, _zarr()
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            self.layout = self._opened(identity)
        else:
            self._create(sample, identity, layout)
            self.layout = layout

    def _create(self, sample: Trajectory, identity: Mapping[str, Any], layout: Layout) -> None:
        import xarray as xr

        plan, shape = self.plan, self.plan.grid.shape
        attrs = storage.encode(attributes(plan, sample))
        attrs |= {storage.KIND: _KIND, "identity": dict(identity), "chunk": list(layout.chunk)}
        coords = xr.Dataset(coords=coordinates(plan, sample), attrs=attrs)
        texts = {name: array.astype(object) for name, array in coords.coords.items() if array.dtype.kind == "U"}
        coords.assign_coords(texts).to_zarr(self.path, mode="w-", zarr_format=3, consolidated=False)
        self.group = self.zarr.open_group(self.path, mode="r+", use_consolidated=False)
        for name, dims in dimensions(plan, sample).items():
            own = plan.shapes[name]
            self.group.create_array(
                name,
                shape=(*shape, *own),
                chunks=(*layout.chunk, *(max(1, length) for length in own)),
                dtype="float64",
                fill_value=np.nan,
                dimension_names=dims,
            )
        self.group.create_array(
            _REASON,
            shape=shape,
            chunks=layout.chunk,
            dtype="string",
            fill_value="",
            dimension_names=[axis.name for axis in plan.grid.axes],
        )
        self.group.create_group("blocks")
        self.group.attrs["complete"] = True  # the last to be written: without it the metadata is a torso
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # which tells that Zarr 3 has yet to specify it; other readers pass over it
            self.zarr.consolidate_metadata(self.path)

    def _opened(self, identity: Mapping[str, Any]) -> Layout:
        """The layout of a store that is there, after a comparison."""
        try:
            self.group = self.zarr.open_group(self.path, mode="r+", use_consolidated=False)
            attrs = dict(self.group.attrs)
            chunk = tuple(int(part) for part in attrs["chunk"])
            theirs, fine = dict(attrs["identity"]), attrs[storage.KIND] == _KIND and attrs["complete"]
            fine = fine and len(chunk) == len(self.plan.grid.shape) and min(chunk) > 0
        except Exception as error:  # zarr has many for what is no store
            raise _no_store(self.path) from error
        found = difference(identity, theirs)
        if found is not None:
            raise SweepError(
                f"the store {self.path} belongs to another sweep. They differ in {found}",
                remedy="give the model, problem, axes and settings that it was made with, or another folder",
            )
        if not fine:
            raise _no_store(self.path)
        return Layout(self.plan.grid.shape, chunk)

    def finished(self) -> Iterator[tuple[int, Block]]:
        """Blocks that are there and whole; damaged ones are left out, to be computed again."""
        for k in range(self.layout.count):
            found = self._read(k)
            if found is not None:
                yield k, found

    def _read(self, k: int) -> Block | None:
        try:
            record = dict(self.group[f"blocks/{k}"].attrs)
            box, points = self.layout.box(k), self.layout.length(k)
            arrays = {name: self.group[name][box].reshape(points, *own) for name, own in self.plan.shapes.items()}
            reasons = [str(reason) for reason in self.group[_REASON][box].reshape(points)]
            found = Block(arrays, reasons, int(record["single"]))
        except Exception:  # whatever is wrong with a chunk or its record: it is computed again
            return None
        return found if record.get("sha256") == _digest(found) else None

    def keep(self, k: int, block: Block) -> None:
        """Write a block: its arrays first, then the record that it is there.

        Raises
        ------
        SweepError
            If it cannot be written.
        """
        box = self.layout.box(k)
        lengths = tuple(part.stop - part.start for part in box)
        record = {"sha256": _digest(block), "single": block.single}
        try:
            for name, values in block.arrays.items():
                self.group[name][box] = values.reshape(*lengths, *values.shape[1:])
            self.group[_REASON][box] = np.array(block.reasons, dtype=np.dtypes.StringDType()).reshape(lengths)
            self.group.create_group(f"blocks/{k}", attributes=record, overwrite=True)
        except OSError as error:
            raise SweepError(
                f"block {k} cannot be written to {self.path}: {error.strerror or error}",
                remedy="make room; the same call goes on from the finished blocks",
            ) from error


def recorded_seed(path: str | os.PathLike[str]) -> int | None:
    """The seed of the simulations in a store; ``None`` if there is no store, or it has none."""
    try:
        found = dict(_zarr().open_group(path, mode="r", use_consolidated=False).attrs)["identity"]["seed"]
        return None if found == "none" else int(found)
    except SweepError:
        raise
    except Exception:  # what is no store will be told when it is opened
        return None


def _digest(block: Block) -> str:
    """Of numbers as they are in memory everywhere: little-endian."""
    found = hashlib.sha256()
    for name in sorted(block.arrays):
        found.update(name.encode() + b"\0" + np.ascontiguousarray(block.arrays[name], dtype="<f8").tobytes())
    found.update("\0".join(block.reasons).encode())
    return found.hexdigest()


def _no_store(path: Path) -> FileFormatError:
    return FileFormatError(
        f"{path} is not the store of a sweep, or its metadata is damaged", remedy="choose another folder, or remove it"
    )


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise SweepError(
            f"store=... needs zarr, which cannot be imported: {error}", remedy="install it: pip install 'hdsym[sweep]'"
        ) from error
    return zarr
