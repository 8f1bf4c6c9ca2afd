"""Declared statistics in numbers: means, the overlaps W^T q(K) W, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .cas import Expr, numeric_function, sp
from .errors import DeclarationError
from .followed import Followed
from .forms import covariance, linear_coefficients
from .nodes import Factor

if TYPE_CHECKING:
    from .model import Model
    from .spectrumbase import Spectrum

__all__ = ["Composition", "Forms", "Weigh", "Weight", "over_modes"]

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

_ON, _DENSE = 1e-12, 3.0
"""Distance of a pole to an eigenvalue, relative to the largest, below which it is on it; and how many times wider than
those beside it a gap between quadrature levels has to be to be a gap of the support."""


@dataclass(frozen=True)
class Weight:
    """q(lam) = above / below, polynomials in lam with real coefficients, the highest power first."""

    above: Float
    below: Float

    def __call__(self, lam: Any) -> Any:
        """The value at real or complex numbers."""
        return np.polyval(self.above, lam) / np.polyval(self.below, lam)

    @cached_property
    def poles(self) -> Complex:
        found: Complex = np.roots(self.below).astype(np.complex128)
        return found

    def residue(self, pole: complex) -> complex:
        """The residue at a simple pole."""
        return complex(np.polyval(self.above, pole) / np.polyval(np.polyder(self.below), pole))

    @property
    def degree(self) -> int:
        """The degree of its polynomial part."""
        return max(len(self.above) - len(self.below), 0)


Weigh = Callable[[Weight], Float]
"""Gives W^T q(K) W, shape (..., n, n), for q."""


def over_modes(lam: Float, grams: Float) -> Weigh:
    """Sums of q(lam_j) G_j over modes, lam of shape (m,), grams (..., m, n, n)."""
    return lambda q: np.asarray(np.einsum("m,...mij->...ij", q(lam), grams), dtype=np.float64)


@dataclass(frozen=True)
class _Form:
    """<u, q(K) v>: coefficients of u and v in the n preactivations, number of q, and whether it cannot be negative."""

    u: Float
    v: Float
    weight: int
    square: bool

    def of(self, matrices: Float) -> Float:
        """The value (...) from W^T q(K) W (..., n, n); rounding must not make a squared norm negative."""
        value: Float = np.einsum("i,...ij,j->...", self.u, matrices, self.v)
        return np.maximum(value, 0.0) if self.square else value


@dataclass(frozen=True)
class Forms:
    """Overlaps <u, q(K) v>, as numbers alone: they can be sent to other processes.

    Attributes
    ----------
    entries:
        Every one of them.
    weights:
        The q in them.
    """

    entries: tuple[_Form, ...]
    weights: tuple[Weight, ...]

    def __call__(self, weigh: Weigh, shape: tuple[int, ...]) -> Float:
        """Their values, shape (count, *shape); each q is asked for once."""
        matrices = [weigh(weight) for weight in self.weights]
        values = [form.of(matrices[form.weight]) for form in self.entries]
        return np.array(values, dtype=np.float64).reshape((len(values), *shape))


class Composition:
    """The statistics of an explicit model at given values of its parameters; `forms` are the overlaps in them.

    Parameters
    ----------
    model:
        Explicit.
    followed:
        Its statistics, sums over units written out.
    parameters:
        Values by name.
    spectrum:
        Checked to hold none of the poles of the q.

    Raises
    ------
    DeclarationError
        If a resolvent, or another q with poles, has one on the spectrum.
    """

    def __init__(
        self, model: Model, followed: Sequence[Followed], parameters: Mapping[str, float], spectrum: Spectrum
    ) -> None:
        self.followed = tuple(followed)
        self.atoms = tuple(dict.fromkeys(atom for each in self.followed for atom in each.overlaps))
        self._constants = {symbol: sp.Float(parameters[symbol.name], 17) for symbol in model.parameters}
        self._trained, self._place = model.trained, {atom: k for k, atom in enumerate(self.atoms)}
        self._compiled: dict[str, Callable[..., Float]] = {}
        weights = {q: self._weight(q) for q in dict.fromkeys(atom.args[2] for atom in self.atoms)}
        self._lasting = [q for q, weight in weights.items() if weight.above[-1] != 0.0]  # also with a pole at zero
        for q, weight in weights.items():
            _check_poles(q, weight, spectrum)
        rows = (*model.students, *model.teachers)
        directions = dict.fromkeys(side for atom in self.atoms for side in atom.args[:2])
        sides = {side: _coefficients(side, rows) for side in directions}
        number = {q: k for k, q in enumerate(weights)}
        self.forms = Forms(
            tuple(
                _Form(sides[u], sides[v], number[q], bool(u == v and np.all(weights[q](spectrum.levels) >= 0)))
                for u, v, q in (atom.args for atom in self.atoms)
            ),
            tuple(weights.values()),
        )

    def check_limits(self) -> None:
        """Raise :class:`DeclarationError` for a q with q(0) != 0, where W^T W has no limit as d -> infinity."""
        if self._lasting:
            raise DeclarationError(
                f"W^T q(K) W with q = {self._lasting[0]} has no limit for this start: W^T W is infinite",
                remedy="use q with q(0) = 0, such as K, or a finite dimension d",
            )

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The q of the overlaps."""
        return self.forms.weights

    def _weight(self, q: Expr) -> Weight:
        parts = sp.fraction(sp.cancel(sp.together(q.xreplace(self._constants))))
        above, below = (
            np.array([float(c) for c in sp.Poly(part, covariance).all_coeffs()], dtype=np.float64) for part in parts
        )
        return Weight(above / below[0], below / below[0])

    @property
    def factor(self) -> Factor:
        """What the q are as functions of lam, for the choice of nodes."""
        poles = {complex(pole) for weight in self.weights for pole in weight.poles if pole.imag >= 0}
        ordered = tuple(sorted(poles, key=lambda z: (z.real, z.imag)))
        return Factor(max((weight.degree for weight in self.weights), default=0), ordered)

    def values(self, means: Mapping[str, Float], forms: Float, trained: Float | None) -> dict[str, Float]:
        """Every statistic, shape (...).

        Parameters
        ----------
        means:
            By key, shape (...) each.
        forms:
            As :attr:`forms` gives them.
        trained:
            Trained scalars (..., count), or ``None`` if there are none.
        """
        return {each.name: self._value(each, means, forms, trained) for each in self.followed}

    def _value(self, each: Followed, means: Mapping[str, Float], forms: Float, trained: Float | None) -> Float:
        if each.outer.is_Symbol and each.means:  # a mean and nothing else
            return means[each.means[0][0]]
        own = [] if trained is None else [trained[..., k] for k in range(len(self._trained))]
        given = [*(means[key] for key, _, _ in each.means), *(forms[self._place[atom]] for atom in each.overlaps)]
        return np.array(self._function(each)(*given, *own))

    def _function(self, each: Followed) -> Callable[..., Float]:
        """A statistic as a function of its means, its overlaps and the trained scalars."""
        if each.name not in self._compiled:
            given = [*(symbol for _, symbol, _ in each.means), *each.overlaps, *self._trained]
            names = {entry: sp.Symbol(f"v{k}", real=True) for k, entry in enumerate(given)}  # sympy is quick with these
            expr = each.outer.xreplace({**names, **self._constants})
            self._compiled[each.name] = numeric_function(list(names.values()), expr)
        return self._compiled[each.name]


def _coefficients(direction: Expr, rows: Sequence[Expr]) -> Float:
    found = linear_coefficients(direction)
    return np.array([float(found.get(row, 0)) for row in rows])


def _check_poles(q: Expr, weight: Weight, spectrum: Spectrum) -> None:
    levels = np.sort(spectrum.levels)
    scale = float(levels[-1])
    for pole in weight.poles:
        if np.min(np.abs(levels - pole)) > _ON * scale and not _in_support(pole, levels, spectrum.d is None):
            continue
        where = f"{pole.real:.6g}" if abs(pole.imag) <= _ON * scale else f"{pole:.6g}"
        raise DeclarationError(
            f"q(K) = {q} has a pole at {where}, which is on the spectrum of K in [{levels[0]:.6g}, {scale:.6g}]",
            remedy="take a z away from the eigenvalues, or a complex one: hd.resolvent(x, s, z + 0.1j)",
        )


def _in_support(pole: complex, levels: Float, limit: bool) -> bool:
    """Whether a pole is inside of a density that quadrature levels stand for."""
    k = int(np.searchsorted(levels, pole.real))
    if not limit or abs(pole.imag) > _ON * levels[-1] or not 1 < k < len(levels) - 1:
        return False
    before, own, after = np.diff(levels[k - 2 : k + 2])
    return bool(own <= _DENSE * max(before, after))
