"""Ellipses around a spectrum, with the nodes of the trapezoidal rule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import checks
from .errors import DeclarationError

__all__ = ["Ellipse", "around"]

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

_FOCI = 0.3
"""The default ellipse has its foci at the ends of the spectrum; its half axes are cosh and sinh of this, times half."""


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in the complex plane with a horizontal axis from `left` to `right` on the real line.

    Integrals along it are sums over nodes, with an error that falls geometrically in their number: the faster, the
    further the contour is from the spectrum inside.

    Attributes
    ----------
    left, right:
        Where it crosses the real axis.
    height:
        Half of the vertical axis.
    nodes:
        Their number, even; half of them are the complex conjugates of the others.

    Raises
    ------
    DeclarationError
        If these are no numbers with left < right and height > 0, or `nodes` is not an even number from 8 on.
    """

    left: float
    right: float
    height: float
    nodes: int = 128

    def __post_init__(self) -> None:
        for name in ("left", "right", "height"):
            object.__setattr__(self, name, checks.finite(getattr(self, name), f"{name} of the ellipse"))
        nodes = checks.dimension(self.nodes, "nodes of the ellipse")
        if not (self.left < self.right and self.height > 0) or nodes % 2 or nodes < 8:
            raise DeclarationError(
                f"{self} is no contour", remedy="give left < right, height > 0 and an even number of nodes from 8 on"
            )

    def _repr_html_(self) -> str:
        from .show import numbers

        across = f"[{self.left:g}, {self.right:g}]"
        return numbers.fields("Ellipse", {"real axis": across, "height": f"{self.height:g}", "nodes": self.nodes})

    @cached_property
    def points(self) -> Complex:
        """Nodes z in the upper half plane, shape (nodes / 2,)."""
        angle = self._angles
        z: Complex = (self.left + self.right) / 2 + self._half * np.cos(angle) + 1j * self.height * np.sin(angle)
        return z

    @cached_property
    def weights(self) -> Complex:
        """W such that (1 / 2 pi i) times the integral of f is Re sum w f(z), for f real on the real axis."""
        angle = self._angles
        slope = -self._half * np.sin(angle) + 1j * self.height * np.cos(angle)
        w: Complex = 2.0 * slope / (1j * self.nodes)
        return w

    @property
    def _half(self) -> float:
        return (self.right - self.left) / 2

    @property
    def _angles(self) -> Float:
        return np.pi * np.arange(1, self.nodes, 2) / self.nodes

    def check_around(self, levels: Float) -> None:
        """Raises DeclarationError if an eigenvalue is outside or on the ellipse: the contour crosses the spectrum."""
        crossing = levels[(levels <= self.left) | (levels >= self.right)]
        if crossing.size:
            raise DeclarationError(
                f"the contour crosses the spectrum: it encloses ({self.left:g}, {self.right:g}) of the real axis, "
                f"and {crossing.size} of {levels.size} eigenvalues are not in there, {crossing[0]:g} among them",
                remedy=f"enclose all of [{levels.min():g}, {levels.max():g}], with some distance",
            )

    def encloses(self, z: complex) -> bool:
        """Whether a complex number is inside."""
        x, y = (z.real - (self.left + self.right) / 2) / self._half, z.imag / self.height
        return bool(x**2 + y**2 < 1)


def around(levels: Float, f: Any) -> Ellipse:
    """An ellipse close around the spectrum, with as many nodes as the integrals of `f` at t = 0 need.

    Parameters
    ----------
    levels:
        Eigenvalues.
    f:
        Says for an ellipse how far its sums are from what they should be, relatively.
    """
    low, high = float(levels.min()), float(levels.max())
    half, centre = max((high - low) / 2, 0.25 * high), (low + high) / 2
    reach = half * np.cosh(_FOCI)
    nodes = 64
    while True:
        ellipse = Ellipse(centre - reach, centre + reach, half * float(np.sinh(_FOCI)), nodes)
        if nodes >= 512 or f(ellipse) < 1e-13:
            return ellipse
        nodes += 32
