"""What :func:`hdsym.derive` returns for a model with sums over units or trained scalars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import modelstatistics
from ...cas import Expr, sp
from ...codegen import render
from ...diskcache.kept import NOWHERE, Kept
from ...errors import CodegenError, DeclarationError
from ...expectation.rule import Step
from ...families import Family
from ...ir.document import Document
from ...ir.lower_sized import lower_sized
from ...ir.sized import SizedProgram
from ...model import Model
from ...parametervalues import sizes_given
from ...progress import Progress
from ..generated import Generated
from ..means import at_overlaps
from ..solving import Solving
from . import display
from .formulas import SizedFormulas, sized_formulas

__all__ = ["SizedDerivation", "derive_sized"]


@dataclass(frozen=True)
class SizedDerivation(Generated, Solving):
    """The deterministic limit of one-pass SGD on a model with sums over units, for every width.

    Attributes
    ----------
    model:
        The declaration it was derived from.
    formulas:
        The kernels, each with its steps, and the sums over units that call them.
    target:
        What its solver is written for; see :meth:`with_target`.
    policy:
        What it was derived by; see :func:`hdsym.derive`.
    """

    model: Model
    formulas: SizedFormulas
    target: str = "numpy"
    policy: str = "auto"

    @property
    def kernels(self) -> dict[str, Expr]:
        """Each kernel's value in the entries B11, B12, ... of the covariance of its preactivations."""
        return {name: entry.expr for name, entry in self.formulas.all()}

    @property
    def risk(self) -> Expr:
        """The risk as a sympy expression: sums over units of kernels of the overlaps B[i, j]."""
        return display.risk(self.model, self.formulas)

    @property
    def statistics(self) -> dict[str, Expr]:
        """Every statistic the model declares, its means as :attr:`risk`."""
        return display.statistics(self.model, self.formulas)

    @property
    def exact(self) -> bool:
        """Whether no kernel needs numerical integration."""
        return all(entry.exact for _, entry in self.formulas.all())

    @property
    def steps(self) -> dict[str, Step]:
        """The tree of rules applied, for every kernel."""
        return {name: entry.steps for name, entry in self.formulas.all()}

    @cached_property
    def program(self) -> SizedProgram:
        """The intermediate representation of the solver."""
        return self.kept.value("program", lambda: lower_sized(self.model, self.formulas.solver()))

    @cached_property
    def document(self) -> Document:
        """The formulas as targets print them that are made of formulas."""
        from ..documents import sized_document

        return sized_document(self)

    @cached_property
    def statistic_modules(self) -> dict[str, ModuleType]:
        """For each mean of the declared statistics, by key, a generated module whose ``risk`` it is."""

        def source(key: str) -> str:
            return render(lower_sized(self.model, self.formulas.statistic(key)))

        return {
            key: self._loaded(f"statistic-{number}-numpy", partial(source, key))
            for number, (key, _) in enumerate(self.model.means, start=1)
        }

    slopes_module = None, "sums over units have no derived Jacobian"
    """Derivatives of H, I and T in the overlaps are taken as differences, a pair of right-hand sides for each."""

    noise_module = None, "sums over units have no derived moments of the gradient's fourth order"
    """Moments of the gradient are taken as averages over points, at the sizes of the problem."""

    @cached_property
    def trained_module(self) -> ModuleType:
        """A generated module with the derivatives in the trained scalars alone: fast, where only they are needed."""

        def source() -> str:
            return render(lower_sized(self.model, self.formulas.only("trained")))

        return self._loaded("trained-numpy", source)

    def arguments(
        self, parameters: Mapping[Any, Any] | None = None, sizes: Mapping[Any, int] | None = None
    ) -> dict[str, Any]:
        """Sizes, parameters and trained scalars as the generated module names them: integers, numbers, arrays.

        Raises
        ------
        DeclarationError, ParameterError
            For a size or a value that is missing or has no meaning.
        """
        explicit = self.model.at(sizes)
        given = dict(parameters or {})
        trained = {name: value for name, value in given.items() if self._is(name, self.model.trained)}
        plain = {name: value for name, value in given.items() if name not in trained}
        values = explicit.parameter_values(plain) | explicit.trained_values(trained)
        known = sizes_given(self.model, sizes or {}) if self.model.sized else {}
        numbers: dict[str, Any] = dict(zip(self.program.sizes, known.values(), strict=True))
        for member, name in self.named():
            numbers[name] = self._value(member, values, known)
        return numbers

    def named(self) -> list[tuple[Any, str]]:
        """Parameters and trained scalars with their names in code."""
        families = [p for p in self.model.parameters if isinstance(p, Family)]
        single = [p for p in self.model.parameters if not isinstance(p, Family)]
        names = [
            *(member.name for member in self.program.arrays),
            *(slot.name for slot in self.program.parameters),
            *(member.name for member in self.program.trained),
        ]
        return list(zip([*families, *single, *self.model.trained], names, strict=True))

    @staticmethod
    def _is(name: Any, members: tuple[Any, ...]) -> bool:
        text = str(getattr(name, "name", name))
        stems = {str(member.name) for member in members}
        return text in stems or any(isinstance(m, Family) and text.removeprefix(m.name).isdigit() for m in members)

    @staticmethod
    def _value(member: Any, values: Mapping[str, float], sizes: Mapping[str, int]) -> Any:
        if not isinstance(member, Family):
            return values[member.name]
        count = sizes[member.size.name]
        return np.array([values[member.element(k).name] for k in range(1, count + 1)])

    def risk_at(
        self, B: ArrayLike, parameters: Mapping[Any, Any] | None = None, sizes: Mapping[Any, int] | None = None
    ) -> NDArray[np.float64]:
        """h(B) for overlaps of shape (..., n, n); the result has shape (...)."""
        return self._call(self.module.risk, B, parameters, sizes)

    def statistic_at(
        self,
        name: str,
        B: ArrayLike,
        parameters: Mapping[Any, Any] | None = None,
        sizes: Mapping[Any, int] | None = None,
    ) -> NDArray[np.float64]:
        """A declared statistic for overlaps of shape (..., n, n); the result has shape (...).

        Of the overlaps W^T q(K) W it may hold those that B is: q(K) = K.

        Raises
        ------
        DeclarationError
            For a name that the model does not declare, overlaps of another shape, or a statistic of another q(K).
        """
        modelstatistics.check_known(name, self.model)
        explicit, given = self.model.at(sizes), dict(parameters or {})
        (own,) = (each for each in self.model.followed if each.name == name)
        own = own.at({size: sp.Integer(given_size) for size, given_size in self._sizes(sizes).items()})
        means = {key: self._call(self.statistic_modules[key].risk, B, parameters, sizes) for key, _, _ in own.means}
        overlaps = np.asarray(B, dtype=np.float64)
        states = np.array(list(explicit.trained_values(given).values()))
        trained = np.broadcast_to(states, (*overlaps.shape[:-2], states.size))
        return at_overlaps(own, explicit, means, overlaps, explicit.parameter_values(given), trained)

    def _sizes(self, sizes: Mapping[Any, int] | None) -> dict[Any, int]:
        """Sizes by symbol."""
        known = sizes_given(self.model, sizes or {}) if self.model.sized else {}
        return {size: known[size.name] for size in self.model.sizes}

    def gradient_at(
        self, B: ArrayLike, parameters: Mapping[Any, Any] | None = None, sizes: Mapping[Any, int] | None = None
    ) -> NDArray[np.float64]:
        """Dh[:, :l] for overlaps of shape (..., n, n); the result has shape (..., n, l)."""
        return self._call(self.module.gradient, B, parameters, sizes)

    def fisher_at(
        self, B: ArrayLike, parameters: Mapping[Any, Any] | None = None, sizes: Mapping[Any, int] | None = None
    ) -> NDArray[np.float64]:
        """I(B) for overlaps of shape (..., n, n); the result has shape (..., l, l)."""
        return self._call(self.module.fisher, B, parameters, sizes)

    def trained_gradient_at(
        self, B: ArrayLike, parameters: Mapping[Any, Any] | None = None, sizes: Mapping[Any, int] | None = None
    ) -> NDArray[np.float64]:
        """E[d_theta f] of the trained scalars for overlaps of shape (..., n, n); shape (..., scalars).

        Raises
        ------
        DeclarationError
            If the model has no trained scalars.
        """
        if not self.model.trained:
            raise DeclarationError(
                f"{self.model.name} has no trained scalars",
                remedy="declare them with hd.Trained, or ask for gradient_at",
            )
        return self._call(self.module.trained_gradient, B, parameters, sizes)

    def _call(
        self,
        function: Callable[..., Any],
        B: ArrayLike,
        parameters: Mapping[Any, Any] | None,
        sizes: Mapping[Any, int] | None,
    ) -> NDArray[np.float64]:
        explicit = self.model.at(sizes)
        size = explicit.n_student + explicit.n_teacher
        overlaps = np.asarray(B, dtype=np.float64)
        if overlaps.shape[-2:] != (size, size):
            raise DeclarationError(
                f"B has shape {overlaps.shape}", remedy=f"give overlaps of shape (..., {size}, {size}), student first"
            )
        if not np.all(np.isfinite(overlaps)):
            raise DeclarationError("B contains NaN or infinity", remedy="give finite overlaps")
        result: NDArray[np.float64] = function(overlaps, **self.arguments(parameters, sizes))
        if not np.all(np.isfinite(result)):
            raise DeclarationError(
                f"{function.__name__} is not finite at some of these overlaps",
                remedy="the formula is singular there; see the derivation for where it holds",
            )
        return result

    def program_with(self, fluctuations: bool) -> SizedProgram:
        """Raise CodegenError: the Jacobian and the noise need formulas that sums over units lack."""
        raise CodegenError(
            f"{self.model.name} has sums over units, whose Jacobian and noise have no formulas",
            remedy="choose the widths first, hd.derive(model.at(K=2)), or use theory.solve(..., fluctuations=True)",
        )

    def __str__(self) -> str:
        return display.text(self.model, self.formulas)

    def __repr__(self) -> str:
        kind = "closed form" if self.exact else "with quadrature"
        return f"SizedDerivation({self.model.name!r}, {len(self.formulas.kernels)} kernels, {kind})"

    def _repr_latex_(self) -> str:
        return display.latex_block(self.model, self.formulas)


def derive_sized(
    model: Model, policy: str = "auto", kept: Kept = NOWHERE, progress: Progress | None = None
) -> SizedDerivation:
    """Derive a model with sums over units or trained scalars; see :func:`hdsym.derive`."""
    found = kept.value("formulas", lambda: sized_formulas(model, policy, progress))
    return SizedDerivation(model, found, policy=policy).keeping(kept)
