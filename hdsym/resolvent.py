r"""The second formulation of the same limit: the resolvent S(t, z) = W^T (K - z)^-1 W on a contour around the spectrum.

With W^T W = -(1 / 2 pi i) int S dz and B = W^T K W = -(1 / 2 pi i) int z S dz it solves

    dS/dt = -2 gamma [(W^T W) H + H' (W^T W)] - gamma [S (2 z H + delta P) + (2 z H' + delta P) S]
            + gamma^2 (tr K (K - z)^-1 / d) I / batch

(Collins-Woodfin et al., arXiv:2308.08977). Nothing here is shared with the equations of the modes but the generated
functions H(B), I(B) and, for trained scalars, T(B): that the two agree is a check of both. The size of the state does
not depend on the number of eigenvalues.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .contour import Ellipse, around
from .errors import DeclarationError
from .integration import Run
from .linearised import Observed
from .runstate import constant_or_call
from .sizedrun import SizedRun

__all__ = ["ResolventRun", "SizedResolventRun"]

Float = NDArray[np.float64]


class _Resolvent(Run):
    """What a run in this formulation does in its own way. The state: real and imaginary parts of S, trained scalars."""

    _METHODS = ("auto", "explicit", "DOP853", "RK45", "RK23")

    def __init__(self, *arguments: Any, contour: Ellipse | None = None, **options: Any) -> None:
        self._wanted = contour
        super().__init__(*arguments, **options)
        if self.method not in self._METHODS:
            raise DeclarationError(
                f'method is {self.method!r}, and the formulation "resolvent" is explicit',
                remedy=f'choose one of {", ".join(self._METHODS)}, or formulation="modes"',
            )
        self.method = "explicit" if self.method == "auto" else self.method

    @cached_property
    def contour(self) -> Ellipse:
        """The contour that was asked for, or an ellipse close around the spectrum."""
        if not self.modes.bounded:
            raise DeclarationError(
                "W^T W is infinite on this density, and the resolvent is a way to compute it",
                remedy='use formulation="modes", which needs lam W^T w w^T W alone',
            )
        if self._wanted is not None:
            self._wanted.check_around(self.lam)
            return self._wanted
        return around(self.lam, self._contour_error)

    def _contour_error(self, contour: Ellipse) -> float:
        """How far B and W^T W at t = 0 are from their sums over modes, relative to their largest entries."""
        S, exact = self._resolvent(contour), (self._overlaps(self.grams), self.grams.sum(axis=0))
        pairs = zip(self._integrals(S, contour), exact, strict=True)
        return max(float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), np.finfo(float).tiny)) for a, b in pairs)

    def _resolvent(self, contour: Ellipse) -> NDArray[np.complex128]:
        """S(0, z) at the nodes in the upper half plane, shape (nodes / 2, n, n)."""
        inverse = 1.0 / (self.lam - contour.points[:, None])
        result: NDArray[np.complex128] = np.tensordot(inverse, self.grams, axes=1)
        return result

    @staticmethod
    def _integrals(S: NDArray[np.complex128], contour: Ellipse) -> tuple[Float, Float]:
        """B and W^T W, (..., n, n) from S (..., nodes / 2, n, n)."""
        sums = [-np.einsum("k,...kij->...ij", contour.weights * f, S).real for f in (contour.points, 1.0)]
        return sums[0], sums[1]

    def _start(self) -> Float:
        S = self._resolvent(self.contour)
        theta = getattr(self, "theta", np.zeros(0))
        return np.concatenate([S.real.reshape(-1), S.imag.reshape(-1), theta])

    def _parts(self, y: Float) -> tuple[NDArray[np.complex128], Float]:
        n = self.grams.shape[-1]
        size = self.contour.points.size * n * n
        S = y[..., :size] + 1j * y[..., size : 2 * size]
        return S.reshape((*y.shape[:-1], self.contour.points.size, n, n)), y[..., 2 * size :]

    def _observe(self, y: Float) -> Observed:
        S, theta = self._parts(y)
        B, gram = self._integrals(S, self.contour)
        return Observed(B, gram, theta if self._trained_rates else None, None)

    def _tolerance(self) -> Float:
        return np.asarray(self.atol)

    def _right_hand_side(self) -> Callable[[float, Float], Float]:
        z = self.contour.points[:, None, None]
        students, n = self.model.n_student, self.grams.shape[-1]
        trace = np.sum(self.rho * self.lam / (self.lam - z[..., 0]), axis=-1)[:, None, None]
        P = np.diag((np.arange(n) < students).astype(float))
        rate, delta = constant_or_call(self.problem.learning_rate), self.problem.delta
        batch = float(self.problem.batch_size)
        own = [constant_or_call(rate) for rate in self._trained_rates]

        def rhs(t: float, y: Float) -> Float:
            S, theta = self._parts(y)
            B, gram = self._integrals(S, self.contour)
            drift, fisher, slope = self.drift(B, theta)
            H = np.pad(drift, [(0, 0), (0, n - students)])
            F = np.pad(fisher, [(0, n - students), (0, n - students)])
            gamma = rate(t)
            pull = 2.0 * z * H + delta * P
            dS = -2.0 * gamma * (gram @ H + H.T @ gram) - gamma * (S @ pull + pull.swapaxes(1, 2) @ S)
            dS = dS + gamma**2 * trace * F / batch
            scalars = -np.array([each(t) for each in own]) * slope
            return np.concatenate([dS.real.reshape(-1), dS.imag.reshape(-1), scalars])

        return rhs

    def _attributes(self, *arguments: Any) -> dict[str, Any]:
        contour = self.contour
        shape = {name: getattr(contour, name) for name in ("left", "right", "height", "nodes")}
        error = {"contour_error": self._contour_error(contour)}
        return {**super()._attributes(*arguments), "formulation": "resolvent", "contour": shape, **error}


class ResolventRun(_Resolvent):
    """A :class:`Run` in this formulation."""


class SizedResolventRun(_Resolvent, SizedRun):
    """A :class:`SizedRun` in this formulation."""
