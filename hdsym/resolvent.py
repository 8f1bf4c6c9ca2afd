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
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .composition import Weight
from .contour import Ellipse, around
from .errors import DeclarationError
from .integration import Run
from .linearised import Observed
from .runstate import constant_or_call
from .sizedrun import SizedRun

__all__ = ["ResolventRun", "SizedResolventRun"]

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

_GRAM, _OVERLAPS = Weight(np.ones(1), np.ones(1)), Weight(np.array([1.0, 0.0]), np.ones(1))


@dataclass(frozen=True)
class _Points:
    """Where S is followed, in the closed upper half plane.

    Attributes
    ----------
    nodes:
        Of the contour.
    weights:
        Their weights.
    poles:
        Those of statistics that the contour encloses: their residues are not part of W^T q(K) W.
    """

    nodes: Complex
    weights: Complex
    poles: Complex

    @property
    def all(self) -> Complex:
        return np.concatenate([self.nodes, self.poles])

    def integral(self, q: Weight, S: Complex) -> Float:
        """W^T q(K) W, (..., n, n), from S (..., points, n, n): -(1 / 2 pi i) int q S dz, and residues taken out."""
        m = self.nodes.size
        total: Float = -np.einsum("k,...kij->...ij", self.weights * q(self.nodes), S[..., :m, :, :]).real
        for k, pole in enumerate(self.poles):
            if q.poles.size and np.min(np.abs(q.poles - pole)) <= _SAME * abs(pole):
                both = 2.0 if pole.imag > 0 else 1.0  # its conjugate counts as well
                total = total + both * (q.residue(pole) * S[..., m + k, :, :]).real
        return total


_SAME, _DOUBLE = 1e-9, 1e-5
"""Relative distances of poles: of one and the same; of two that rounding has made of a double one."""


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

    @cached_property
    def points(self) -> _Points:
        """Where S is followed."""
        return self._points(self.contour)

    def _points(self, contour: Ellipse) -> _Points:
        found = [pole for q in self.composition.weights for pole in q.poles if contour.encloses(pole)]
        for q in self.composition.weights:
            for k, pole in enumerate(q.poles):
                if contour.encloses(pole) and np.any(np.abs(np.delete(q.poles, k) - pole) <= _DOUBLE * abs(pole)):
                    raise DeclarationError(
                        f"the contour encloses {pole:.6g}, where a declared statistic has a multiple pole",
                        remedy='give a closer contour=hd.Ellipse(...), or take formulation="modes"',
                    )
        poles = [pole for k, pole in enumerate(found) if pole.imag >= 0 and pole not in found[:k]]
        return _Points(contour.points, contour.weights, np.array(poles, dtype=np.complex128))

    def _contour_error(self, contour: Ellipse) -> float:
        """How far B, W^T W and the W^T q(K) W of statistics are from sums over modes at t = 0, relatively."""
        points = self._points(contour)
        S, errors = self._resolvent(points), []
        for q in (_OVERLAPS, _GRAM, *self.composition.weights):
            exact = np.tensordot(q(self.lam), self.grams, axes=1)
            off = np.max(np.abs(points.integral(q, S) - exact))
            errors.append(float(off / max(np.max(np.abs(exact)), np.finfo(float).tiny)))
        return max(errors)

    def _resolvent(self, points: _Points) -> Complex:
        """S(0, z), shape (points, n, n)."""
        inverse = 1.0 / (self.lam - points.all[:, None])
        result: Complex = np.tensordot(inverse, self.grams, axes=1)
        return result

    def _start(self) -> Float:
        S = self._resolvent(self.points)
        theta = getattr(self, "theta", np.zeros(0))
        return np.concatenate([S.real.reshape(-1), S.imag.reshape(-1), theta])

    def _parts(self, y: Float) -> tuple[Complex, Float]:
        n, count = self.grams.shape[-1], self.points.all.size
        size = count * n * n
        S = y[..., :size] + 1j * y[..., size : 2 * size]
        return S.reshape((*y.shape[:-1], count, n, n)), y[..., 2 * size :]

    def _observe(self, y: Float) -> Observed:
        S, theta = self._parts(y)
        B, gram = (self.points.integral(q, S) for q in (_OVERLAPS, _GRAM))
        return Observed(B, gram, theta if self._trained_rates else None, None, lambda q: self.points.integral(q, S))

    def _tolerance(self) -> Float:
        return np.asarray(self.atol)

    def _right_hand_side(self) -> Callable[[float, Float], Float]:
        points = self.points
        z = points.all[:, None, None]
        students, n = self.model.n_student, self.grams.shape[-1]
        trace = np.sum(self.rho * self.lam / (self.lam - z[..., 0]), axis=-1)[:, None, None]
        P = np.diag((np.arange(n) < students).astype(float))
        rate, delta = constant_or_call(self.problem.learning_rate), self.problem.delta
        batch = float(self.problem.batch_size)
        own = [constant_or_call(rate) for rate in self._trained_rates]

        def rhs(t: float, y: Float) -> Float:
            S, theta = self._parts(y)
            B, gram = (points.integral(q, S) for q in (_OVERLAPS, _GRAM))
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
