"""What trajectories and ensembles share: a dataset whose variables are attributes, provenance, saving and loading."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from numpy.typing import ArrayLike

from . import storage, tables
from .errors import DeclarationError, FileFormatError

if TYPE_CHECKING:
    import xarray as xr

    from .describe.origin import Origin
    from .reproduce import Rerun

__all__ = ["UNBOUNDED", "Record"]

UNBOUNDED = "||W||^2 is infinite on this density, though the risk is finite"
"""What a result says that has no W^T W."""

Self = TypeVar("Self", bound="Record")


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """Base of the results: a dataset whose variables are also attributes.

    Attributes
    ----------
    dataset:
        An :class:`xarray.Dataset`; ``row`` and ``col`` carry the names of the preactivations, student first; ``time``
        is t = steps / d. All variables are O(1) in d.
    origin:
        Model or theory, problem and call that it was computed from; ``None`` if unknown.
    """

    dataset: xr.Dataset
    origin: Origin | None = field(default=None, kw_only=True)
    kind: ClassVar[str] = "Record"
    required: ClassVar[tuple[str, ...]] = ("time", "risk", "overlaps", "gram")

    def variable(self, name: str) -> xr.DataArray:
        """A variable by name. Raises :class:`DeclarationError` with the names there are."""
        if name not in self.dataset:
            there = ", ".join(sorted(str(key) for key in self.dataset.data_vars))
            why = self.attrs.get("unbounded", "distances and cosine need as many students as teachers")
            raise DeclarationError(f"this {type(self).__name__} has no {name!r}", remedy=f"it has: {there} ({why})")
        return self.dataset[name]

    @property
    def attrs(self) -> dict[str, Any]:
        """Provenance: model, parameters, spectrum, versions, settings."""
        return storage.decode(self.dataset.attrs)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the preactivations, in the order of the rows of the overlaps."""
        return tuple(str(name) for name in self.dataset["row"].values)

    @property
    def n_student(self) -> int:
        """Number l of trained directions."""
        return int(self.attrs["n_student"])

    @property
    def time(self) -> xr.DataArray:
        """Times t = steps / d."""
        return self.variable("time")

    @property
    def risk(self) -> xr.DataArray:
        """The risk h(B)."""
        return self.variable("risk")

    @property
    def overlaps(self) -> xr.DataArray:
        """B = W^T K W, axes (..., row, col)."""
        return self.variable("overlaps")

    @property
    def gram(self) -> xr.DataArray:
        """W^T W, axes (..., row, col)."""
        return self.variable("gram")

    @property
    def distance(self) -> xr.DataArray:
        """||X - X*||^2."""
        return self.variable("distance")

    @property
    def aligned_distance(self) -> xr.DataArray:
        """||X - X*||^2 for the order of students in which it is smallest."""
        return self.variable("aligned_distance")

    @property
    def norm(self) -> xr.DataArray:
        """||X||."""
        return self.variable("norm")

    @property
    def teacher_norm(self) -> xr.DataArray:
        """||X*||."""
        return self.variable("teacher_norm")

    @property
    def cosine(self) -> xr.DataArray:
        """<X, X*> / (||X|| ||X*||); zero where X = 0."""
        return self.variable("cosine")

    @property
    def cosines(self) -> xr.DataArray:
        """Cosine of each student and each teacher, axes (..., student, teacher); zero where one of them is zero."""
        return self.variable("cosines")

    @property
    def specialisation(self) -> xr.DataArray:
        """Mean of |cosines| over pairs of a student and a teacher, matched so that it is largest."""
        return self.variable("specialisation")

    @property
    def trained(self) -> xr.DataArray:
        """Trained scalars, axes (..., theta), with their names."""
        return self.variable("trained")

    def plot_matrices(self, statistic: str = "overlaps", times: int = 5) -> Any:
        """A new figure of a matrix ("overlaps", "gram", "cosines") at a few of the times."""
        from .matrixplots import plot_matrices

        return plot_matrices(self, statistic, times)  # type: ignore[arg-type]  # the two kinds of results are records

    def plot_specialisation(self, ax: Any = None) -> Any:
        """Plot which student follows which teacher: a new figure, or `ax` with the curves added."""
        from .matrixplots import plot_specialisation

        return plot_specialisation(self, ax)  # type: ignore[arg-type]  # the two kinds of results are records

    def save(self, file: str | os.PathLike[str]) -> Path:
        """Write a netCDF file and return its path; folders are made as needed, an older file is replaced.

        The file says how it was computed, so that :func:`hdsym.rerun` can do it again.
        """
        return storage.write(self.dataset, file, self.kind, None if self.origin is None else self.origin.recipe)

    @property
    def description(self) -> str | None:
        """Model, problem and call as a text much like a model file; ``None`` if unknown."""
        return None if self.origin is None else self.origin.recipe.text

    def rerun(self, **given: Any) -> Rerun:
        """Compute it again and compare, bit for bit; see :func:`hdsym.rerun`."""
        from . import rerun

        return rerun(self, **given)  # type: ignore[arg-type]  # as above

    @classmethod
    def load(cls: type[Self], file: str | os.PathLike[str]) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        FileFormatError
            If the file is not of this kind.
        """
        kind, dataset = storage.read(file)
        if kind != cls.kind:
            raise FileFormatError(
                f"{file} holds a result of kind {kind!r}, not {cls.kind!r}", remedy="use hd.load(file)"
            )
        missing = [name for name in cls.required if name not in dataset.variables]
        if missing:
            raise FileFormatError(f"{file} lacks {', '.join(missing)}", remedy="give a file written by .save(...)")
        recipe = storage.read_recipe(file)
        made = cls._of(dataset)
        if recipe is None:
            return made
        from .describe.origin import Origin

        return replace(made, origin=Origin(recipe=recipe))

    @classmethod
    def _of(cls: type[Self], dataset: xr.Dataset) -> Self:
        return cls(dataset)

    def _table(self) -> tuple[str, dict[str, ArrayLike], list[str]]:
        raise NotImplementedError

    def __repr__(self) -> str:
        return tables.text(*self._table())

    def _repr_html_(self) -> str:
        return tables.html(*self._table())
