"""A trajectory between its output times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .errors import DeclarationError
from .geometry import geometry

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["at"]


def at(dataset: xr.Dataset, t: ArrayLike, dense: Callable[[Any], Any] | None) -> xr.Dataset:
    """The variables of a trajectory's dataset at the times `t`; a scalar `t` drops the axis ``time``.

    What `dense` does not give is interpolated by a cubic spline; norms, distance and cosine always follow from W^T W.
    """
    times, own = np.asarray(t, dtype=np.float64), dataset["time"].values
    wanted = times.reshape(-1)
    slack = 1e-12 * max(1.0, abs(float(own[-1])))
    outside = ~((wanted >= own[0] - slack) & (wanted <= own[-1] + slack))
    if outside.any():
        raise DeclarationError(
            f"t = {wanted[outside][0]:g} is outside the trajectory, [{own[0]:g}, {own[-1]:g}]",
            remedy="solve for a longer horizon",
        )
    wanted = np.clip(wanted, own[0], own[-1])
    given = _dense(dense, wanted)
    made = _skeleton(dataset, wanted, given)
    if "gram" in made:
        for name, array in geometry(made["gram"].values, int(dataset.attrs["n_student"])).items():
            made[name] = dataset[name].dims, array, dataset[name].attrs
    return made.isel(time=0) if times.ndim == 0 else made


def _dense(dense: Callable[[Any], Any] | None, wanted: Any) -> dict[str, Any]:
    if dense is None:
        return {}
    found = dense(wanted)
    given = dict(found) if isinstance(found, Mapping) else {"grams": np.asarray(found)}
    if "grams" in given:
        given.setdefault("gram", np.asarray(given["grams"]).sum(axis=-3))
    return given


def _skeleton(dataset: xr.Dataset, wanted: Any, given: Mapping[str, Any]) -> xr.Dataset:
    import xarray as xr

    variables: dict[str, Any] = {}
    for name, variable in dataset.data_vars.items():
        if (name == "grams" and name not in given) or "other_time" in variable.dims:
            continue  # large, and rarely what is asked for between output times
        array = given.get(str(name))
        if array is None and str(name).endswith("_std"):  # which grow like the square root of t from zero
            squared = _spline(dataset["time"].values, variable.values**2, wanted)
            array = np.sqrt(np.maximum(squared, 0.0))
        values = _spline(dataset["time"].values, variable.values, wanted) if array is None else np.asarray(array)
        variables[str(name)] = (variable.dims, values, variable.attrs)
    coords = {
        name: coord
        for name, coord in dataset.coords.items()
        if not {"time", "sample_time", "other_time", "curve"} & {*coord.dims}
    }
    if "grams" not in variables:
        coords = {name: coord for name, coord in coords.items() if "mode" not in coord.dims}
    made = xr.Dataset(variables, {**coords, "time": wanted}, dataset.attrs)
    made["time"].attrs.update(dataset["time"].attrs)
    return made


def _spline(own: Any, values: Any, wanted: Any) -> Any:
    from scipy.interpolate import CubicSpline

    if own.size == 1:
        return np.repeat(values, wanted.size, axis=0)  # the one time there is, or `at` had raised
    return CubicSpline(own, values, axis=0)(wanted)
