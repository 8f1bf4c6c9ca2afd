"""Integrators by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DeclarationError

if TYPE_CHECKING:
    from ..linearised import Linearised

__all__ = ["METHODS", "check_method", "check_tolerances", "integrator"]

_OWN = ("auto", "explicit", "stiff", "exponential")
_SCIPY = ("DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA")

METHODS = (*_OWN, *_SCIPY)
"""Names of integrators.

``"auto"`` starts with DOP853 and changes to one of the two for stiff equations where that pays. ``"explicit"`` is
DOP853, ``"stiff"`` the linearly implicit RODAS of order four and ``"exponential"`` an exponential Rosenbrock method of
order five, with the exact Jacobian and a cost that grows linearly with the number of modes. The others are those of
:func:`scipy.integrate.solve_ivp`; implicit ones are given the Jacobian as a dense matrix.
"""


def check_method(method: str) -> None:
    """Raises DeclarationError for a name that is not in :data:`METHODS`."""
    if method not in METHODS:
        raise DeclarationError(f"method is {method!r}", remedy=f"choose one of {', '.join(METHODS)}")


def check_tolerances(rtol: float, atol: Any) -> None:
    """Raises DeclarationError for tolerances that no step can keep."""
    if not (0 < rtol < 1 and np.all(np.asarray(atol) >= 0)):
        raise DeclarationError(f"rtol = {rtol}, atol = {atol}", remedy="give 0 < rtol < 1 and atol >= 0")


def integrator(method: str, run: Linearised) -> tuple[dict[str, Any], list[tuple[float, str, str]]]:
    """Arguments of :func:`scipy.integrate.solve_ivp`, and a list that will hold (time, method, reason)."""
    if run.rates is not None or run.model.constraint is not None:
        return _explicit(method, "the learning rate is adaptive" if run.rates is not None else "projected to spheres")
    if method == "auto":
        from .automatic import Automatic

        history: list[tuple[float, str, str]] = []
        return {"method": Automatic, "run": run, "history": history}, history
    if method == "stiff":
        from .rosenbrock import Rodas

        return {"method": Rodas, **run.structure()}, [(0.0, "RODAS", "asked for")]
    if method == "exponential":
        from .exponential import Exponential

        return {"method": Exponential, **run.structure()}, [(0.0, "exponential", "asked for")]
    if method in ("Radau", "BDF", "LSODA"):
        return {"method": method, "jac": run.dense_jacobian}, [(0.0, method, "asked for")]
    chosen = "DOP853" if method == "explicit" else method
    return {"method": chosen}, [(0.0, chosen, "asked for")]


def _explicit(method: str, why: str) -> tuple[dict[str, Any], list[tuple[float, str, str]]]:
    """Where more than the mode equations moves the state, their Jacobian is not that of the system."""
    if method in ("stiff", "exponential"):
        raise DeclarationError(
            f"method={method!r} has no Jacobian here: {why}",
            remedy='use "auto", "explicit", or one of scipy\'s: "Radau", "BDF", "LSODA"',
        )
    chosen = "DOP853" if method in ("auto", "explicit") else method
    return {"method": chosen}, [(0.0, chosen, why if method == "auto" else "asked for")]
