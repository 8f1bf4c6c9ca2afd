"""What :func:`hdsym.derive` returns: the formulas of a model, and everything one does with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import modelstatistics
from ..cas import Expr, Matrix
from ..codegen import render
from ..diskcache.kept import kept
from ..errors import DeclarationError
from ..expectation.expectation import Expectation
from ..expectation.rule import Step
from ..ir import Program, lower
from ..ir.document import Document
from ..model import Model
from ..modelcheck import check_free
from ..progress import Progress
from ..symbols import entry_name
from . import display
from .documents import document
from .generated import Generated
from .means import at_overlaps, mean_at, over_modes
from .noise import noise_moments, symbolic_noise
from .pipeline import Formulas, formulas
from .slopes import slopes, symbolic_slopes
from .solving import Solving

__all__ = ["Derivation", "derive"]


@dataclass(frozen=True)
class Derivation(Generated, Solving):
    """The deterministic limit of one-pass SGD on a model, in formulas.

    Attributes
    ----------
    model:
        The declaration it was derived from.
    formulas:
        The expectations with their steps, and the ODE of one mode.
    target:
        What its solver is written for; see :meth:`with_target`.
    policy:
        What it was derived by; see :func:`hdsym.derive`.
    """

    model: Model
    formulas: Formulas
    target: str = "numpy"
    policy: str = "auto"

    @property
    def risk(self) -> Expr:
        """The population risk h(B) = E f, in the entries of B."""
        return self.formulas.risk.expr

    @property
    def gradient(self) -> Matrix:
        """Dh[:, :l], n x l: off-diagonal entries are half the derivative in the shared symbol (Price's theorem)."""
        return self.formulas.gradient_matrix

    @property
    def fisher(self) -> Matrix:
        """The Fisher matrix I(B) = E[(grad_x f)(grad_x f)^T], l x l."""
        return self.formulas.fisher_matrix

    @property
    def statistics(self) -> dict[str, Expr]:
        """Every statistic the model declares: means in the entries of B, overlaps as sums over the modes' G."""
        means = {key: entry.expr for key, entry in self.formulas.statistics}
        found = {each.name: each.with_means(means) for each in self.model.followed}
        rows = (*self.model.students, *self.model.teachers)
        return {name: over_modes(expr, rows, self.formulas.modes) for name, expr in found.items()}

    @property
    def odes(self) -> dict[str, Expr]:
        """d/dt of the Gram matrix entries G_ij of one eigenvalue lam with share rho of the modes."""
        modes = self.formulas.modes
        return {entry_name("G", i, j): rate for (i, j), rate in zip(modes.pairs, modes.rates, strict=True)}

    @property
    def exact(self) -> bool:
        """Whether no expectation needs numerical integration."""
        return all(entry.exact for _, entry in self.formulas.all())

    @property
    def steps(self) -> dict[str, Step]:
        """The tree of rules applied, for the risk, every entry of gradient and Fisher matrix, and the statistics."""
        return {name: entry.steps for name, entry in self.formulas.all()}

    @cached_property
    def program(self) -> Program:
        """The intermediate representation of the solver."""
        return self.kept.value("program", lambda: lower(self.model, self.formulas))

    @cached_property
    def document(self) -> Document:
        """The formulas as targets print them that are made of formulas."""
        return document(self)

    @cached_property
    def slopes(self) -> dict[str, Expr]:
        """dH_ij/dB_kl (``H21_B12``) and dI_ij/dB_kl in the entries of B that evolve; derived when first asked for.

        H and I are symmetric, and each entry stands once; off the diagonal B_kl and B_lk are one symbol.

        Raises
        ------
        ExpectationError
            If one of them does not exist.
        """
        return {name: entry.expr for name, entry in self._slopes}

    @cached_property
    def _slopes(self) -> tuple[tuple[str, Expectation], ...]:
        return self.kept.value("slopes", lambda: slopes(self.formulas))

    @cached_property
    def slopes_module(self) -> tuple[ModuleType | None, str]:
        """A generated module that has the slopes and the exact Jacobian too; or ``None``, and why there is none."""
        found, why = self.kept.value("jacobian", lambda: symbolic_slopes(self.formulas))
        if not found:
            return None, why
        return self._loaded("jacobian-numpy", lambda: render(lower(self.model, self.formulas, found))), why

    @cached_property
    def noise(self) -> dict[str, Expr]:
        """Moments of u = grad_x f that error bars take: ``M2_12_11`` is E[d_1 d_2 (u_1 u_1)], ``M4_1111`` E[u_1^4].

        Derived when first asked for; they are symmetric, and each entry stands once. See :mod:`hdsym.derive.noise`.

        Raises
        ------
        ExpectationError
            If one of them does not exist.
        """
        return {name: entry.expr for name, entry in noise_moments(self.model)}

    @cached_property
    def noise_module(self) -> tuple[ModuleType | None, str]:
        """A generated module that has these moments too; or ``None``, and why averages over points serve instead."""
        found, why = self.kept.value("noise", lambda: symbolic_noise(self.model))
        if not found:
            return None, why
        return self._loaded("noise-numpy", lambda: render(lower(self.model, self.formulas, noise=found))), why

    def parameter_values(self, parameters: Mapping[Any, float] | None = None) -> dict[str, float]:
        """Parameters as the generated module names them, defaults filled in. Raises ParameterError."""
        values = self.model.parameter_values(parameters or {})
        return {slot.name: values[slot.symbol.name] for slot in self.program.parameters}

    def risk_at(self, B: ArrayLike, parameters: Mapping[Any, float] | None = None) -> NDArray[np.float64]:
        """h(B) for overlaps of shape (..., n, n); the result has shape (...)."""
        return self._call("risk", B, parameters)

    def gradient_at(self, B: ArrayLike, parameters: Mapping[Any, float] | None = None) -> NDArray[np.float64]:
        """Dh[:, :l] for overlaps of shape (..., n, n); the result has shape (..., n, l)."""
        return self._call("gradient", B, parameters)

    def fisher_at(self, B: ArrayLike, parameters: Mapping[Any, float] | None = None) -> NDArray[np.float64]:
        """I(B) for overlaps of shape (..., n, n); the result has shape (..., l, l)."""
        return self._call("fisher", B, parameters)

    def statistic_at(
        self, name: str, B: ArrayLike, parameters: Mapping[Any, float] | None = None
    ) -> NDArray[np.float64]:
        """A declared statistic for overlaps of shape (..., n, n); the result has shape (...).

        Of the overlaps W^T q(K) W it may hold those that B is: q(K) = K.

        Raises
        ------
        DeclarationError
            For a name that the model does not declare, overlaps of another shape, or a statistic of another q(K).
        ExpectationError
            Where a mean does not exist.
        """
        modelstatistics.check_known(name, self.model)
        size, values = self.model.n_student + self.model.n_teacher, self.model.parameter_values(parameters or {})
        (own,) = (each for each in self.model.followed if each.name == name)
        found = dict(self.formulas.statistics)
        means = {key: mean_at(found[key], B, size, values) for key, _, _ in own.means}
        return at_overlaps(own, self.model, means, np.asarray(B, dtype=np.float64), values)

    def _call(self, name: str, B: ArrayLike, parameters: Mapping[Any, float] | None) -> NDArray[np.float64]:
        overlaps = np.asarray(B, dtype=np.float64)
        size = self.program.size
        if overlaps.shape[-2:] != (size, size):
            raise DeclarationError(
                f"B has shape {overlaps.shape}", remedy=f"give overlaps of shape (..., {size}, {size}), student first"
            )
        if not np.all(np.isfinite(overlaps)):
            raise DeclarationError("B contains NaN or infinity", remedy="give finite overlaps")
        result: NDArray[np.float64] = getattr(self.module, name)(overlaps, **self.parameter_values(parameters))
        if not np.all(np.isfinite(result)):
            where = np.argwhere(~np.isfinite(result))[0]
            raise DeclarationError(
                f"{name} is not finite at B = {overlaps[tuple(where[: overlaps.ndim - 2])].tolist()}",
                remedy="the formula is singular there; see the derivation for where it holds",
            )
        return result

    def program_with(self, fluctuations: bool) -> Program:
        """The program with the exact Jacobian, and with `fluctuations` the moments of the noise.

        Raises
        ------
        ExpectationError
            If some derivative or moment does not exist.
        """
        check_free(self.model, "the exact Jacobian")
        noise = noise_moments(self.model) if fluctuations else ()
        return lower(self.model, self.formulas, self._slopes, noise)

    def __str__(self) -> str:
        return display.text(self)

    def __repr__(self) -> str:
        kind = "closed form" if self.exact else "with quadrature"
        return f"Derivation({self.model.name!r}, {kind})"

    def _repr_latex_(self) -> str:
        return display.latex_block(self)


def derive(model: Any, policy: str = "auto", *, cache: bool | None = None, progress: Progress | None = None) -> Any:
    """Derive risk, gradient, Fisher matrix and the ODEs for the overlaps of `model`.

    A model with sums over units, or with trained scalars, is derived once for all widths: a :class:`SizedDerivation`.

    Parameters
    ----------
    model:
        A declaration.
    policy:
        "auto": closed forms where the rules find them, quadrature elsewhere. "exact": an error where there is no
        closed form. "numeric": quadrature throughout (a check of the rules).
    cache:
        Whether what is derived is kept on disk, and read if it is there; by default it is, unless the environment
        says ``HDSYM_CACHE=0``.
    progress:
        A function that is told how many parts are derived, and how many there are.

    Returns
    -------
    Derivation or SizedDerivation
        The latter for models with sums over units or trained scalars.

    Raises
    ------
    DeclarationError
        If `model` is not a :class:`hdsym.Model`, or its loss is no polynomial in its sums over units.
    ExpectationError
        If an expectation does not exist or no permitted rule computes it.

    Examples
    --------
    >>> import hdsym as hd
    >>> hd.derive(hd.zoo.phase_retrieval()).gradient
    Matrix([
    [3*B11/2 - B22/2],
    [           -B12]])

    References
    ----------
    E. Collins-Woodfin, C. Paquette, E. Paquette, I. Seroussi, arXiv:2308.08977.
    """
    if getattr(model, "sized", False) or getattr(model, "trained", ()):
        from .sized import derive_sized

        return derive_sized(model, policy, kept(model, policy, cache), progress)
    place = kept(model, policy, cache)
    found = place.value("formulas", lambda: formulas(model, policy, progress))
    return Derivation(model, found, policy=policy).keeping(place)
