"""The numerical side of a question: spectrum, start, learning rate, regularisation, parameter values, horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks
from .adaptive import AdaptiveRate
from .errors import DeclarationError
from .parametervalues import check_names, expanded, finite_entries, named_values
from .rows import Data
from .schedule import LearningRate
from .sizing import inferred_sizes
from .spectrum import Spectrum
from .start import Start, check_fits

if TYPE_CHECKING:
    from .model import Model

__all__ = ["Data", "Problem"]


@dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """What a model is solved and simulated on. Validated on construction.

    Parameters
    ----------
    spectrum:
        Of the data covariance: ``hd.spectrum.identity(d=2000)``, ``hd.spectrum.power_law(0.6, d=2000)``, ...
    start:
        Weights at t = 0: ``hd.start.random(...)``, ``hd.start.arrays(...)``, ``hd.start.overlaps(...)``.
    learning_rate:
        gamma(t): a number, a sympy expression in ``hd.t``, or a Python function; becomes a :class:`LearningRate`.
    delta:
        l2 regularisation, (delta / 2) ||X||^2 added to the loss; O(1), >= 0.
    parameters:
        Values of the model's named parameters and starts of its trained scalars, by name or symbol; for a family an
        array, or one number for all. Names are checked when a model is at hand.
    batch_size:
        Samples averaged in each step.
    horizon:
        Time t = steps / d up to which theory and simulation run unless told otherwise.
    data:
        Real rows the problem was built from; see :meth:`from_data`.
    learning_rates:
        Rates of trained scalars, by name or symbol of one or of a family; each as `learning_rate`, which serves the
        others.
    sizes:
        Sizes of a sized model by name, where neither the start nor the length of an array says them.

    Raises
    ------
    DeclarationError
        If a part has the wrong kind or value, spectrum and start do not fit, or the learning rate is negative or not
        finite at some t in [0, horizon].
    ParameterError
        If a parameter's value is not a finite number.
    """

    spectrum: Spectrum
    start: Start
    learning_rate: Any
    delta: float = 0.0
    parameters: Mapping[Any, Any] = field(default_factory=dict)
    batch_size: int = 1
    horizon: float = 20.0
    data: Data | None = None
    learning_rates: Mapping[Any, Any] = field(default_factory=dict)
    sizes: Mapping[Any, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_kind(self.spectrum, Spectrum, "spectrum", "hd.spectrum.power_law(0.6, d=2000)")
        _check_kind(self.start, Start, "start", "hd.start.random(norm=1.0, cosine=0.3)")
        self.start.check(self.spectrum)
        if not isinstance(self.learning_rate, AdaptiveRate):
            object.__setattr__(self, "learning_rate", LearningRate(self.learning_rate))
        for name, low in (("delta", "be >= 0"), ("horizon", "be positive")):
            value = checks.finite(getattr(self, name), name)
            if value < 0 or (name == "horizon" and value == 0):
                raise DeclarationError(
                    f"{name} is {value:g}, it must {low}", remedy=f"give a {name} that is large enough"
                )
            object.__setattr__(self, name, value)
        object.__setattr__(self, "batch_size", checks.dimension(self.batch_size, "batch_size"))
        object.__setattr__(
            self, "parameters", named_values(self.parameters, "parameters", '{"noise_std": 0.1}', finite_entries)
        )
        rates = named_values(self.learning_rates, "learning_rates", '{"v": 0.1}', lambda _, rate: LearningRate(rate))
        object.__setattr__(self, "learning_rates", rates)
        sizes = named_values(self.sizes, "sizes", '{"K": 3}', lambda name, n: checks.dimension(n, f"the size {name}"))
        object.__setattr__(self, "sizes", sizes)
        if self.data is not None:
            _check_kind(self.data, Data, "data", "Problem.from_data(features, labels, learning_rate=...)")
        self._check_schedule()

    def _check_schedule(self) -> None:
        for rate in (self.learning_rate, *self.learning_rates.values()):
            if rate.kind in ("adaptive", "constant"):  # a constant has been checked
                continue
            try:
                rate(np.linspace(0.0, self.horizon, 201))
            except DeclarationError as error:
                raise DeclarationError(
                    f"{error.message}, before the horizon {self.horizon:g}",
                    remedy=error.remedy.replace("stop earlier", "choose a smaller horizon"),
                ) from None

    @classmethod
    def from_data(
        cls,
        features: ArrayLike,
        labels: ArrayLike,
        learning_rate: Any,
        *,
        model: Model | None = None,
        parameters: Mapping[Any, Any] | None = None,
        delta: float = 0.0,
        start: ArrayLike | None = None,
        batch_size: int = 1,
        horizon: float = 20.0,
        center: bool = False,
        scale: bool = False,
    ) -> Problem:
        """Real rows, as a Gaussian problem with their second moments.

        The covariance is K = A^T A / N with A the features; the teacher X* is the least-squares solution of minimum
        norm; the label noise ``noise_std`` is the root mean square of its residual, which is orthogonal to every
        feature. Directions in which the data do not vary get eigenvalue exactly zero and no teacher.

        With a `model` whose label is 0 or 1 with probability p(s), as ``hd.zoo.logistic("bernoulli")``, the teacher is
        the maximum likelihood estimate, at which the mean gradient of the log-likelihood over the rows is zero; the
        labels of the Gaussian problem are sampled. Measured on features that are not Gaussian (random signs), labels
        from the model, N = 2000 to 8000 and d up to N / 5: the risk on the rows within 1 % of the theory.

        Parameters
        ----------
        features, labels:
            (N, d), rows are samples, and (N,).
        model, parameters:
            What the labels are taken for, y = s + eps by default, and values of the parameters.
        start:
            X0, shape (d,), acting on the features as they are after centring and scaling; zero by default.
        center:
            Subtract the column means of the features.
        scale:
            Divide the features by one number so that tr K / d = 1.
        learning_rate, delta, batch_size, horizon:
            As for :class:`Problem`.

        Raises
        ------
        DeclarationError
            For shapes that do not fit, entries that are not finite, features that are all zero; for labels that are
            none of the model's, or that the features separate; and as :class:`Problem` does.
        """
        from .dataproblem import gaussian_equivalent

        parts = gaussian_equivalent(features, labels, start, model, parameters or {}, center=center, scale=scale)
        return cls(learning_rate=learning_rate, delta=delta, batch_size=batch_size, horizon=horizon, **parts)

    def at(self, d: int) -> Problem:
        """The same problem at dimension `d`: spectrum of the same family, start drawn anew, the rest as it is.

        Raises
        ------
        DeclarationError
            If the spectrum has no formula, the start is given as arrays, or the problem comes from data.
        """
        if self.data is not None:
            raise DeclarationError(
                f"the problem is that of {self.data}, which has one dimension",
                remedy="choose other features, and pose a problem of their own with Problem.from_data",
            )
        if self.spectrum.d != d:
            self.start.check_other_dimension(d)
        return replace(self, spectrum=self.spectrum.at(d))

    def explicit(self, model: Model) -> Model:
        """The explicit form of a sized model: sizes from the start, from the lengths of arrays, from ``sizes``.

        An explicit model is returned as it is.

        Raises
        ------
        DeclarationError
            If a size is not determined, two sources contradict each other, or there are more directions than
            dimensions.
        """
        made = model.at(inferred_sizes(model, self)) if model.sized else model
        if self.spectrum.d is not None:
            check_fits(self.spectrum.d, made.n_student, made.n_teacher)
        return made

    def grams(self, model: Model) -> NDArray[np.float64]:
        """Gram matrices G_j(0) on each level of the spectrum, (m, n, n); see :meth:`hdsym.start.Start.grams`."""
        made = self.explicit(model)
        return self.start.grams(self.spectrum, made.n_student, made.n_teacher)

    def weights(self, model: Model) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """X0 (d, l) and X* (d, l*) in the eigenbasis; see :meth:`hdsym.start.Start.weights`."""
        made = self.explicit(model)
        return self.start.weights(self.spectrum, made.n_student, made.n_teacher)

    def trained_rates(self, model: Model) -> tuple[LearningRate, ...]:
        """The rate of each trained scalar, in the order of ``explicit(model).trained``.

        Raises
        ------
        ParameterError
            If ``learning_rates`` names a scalar that the model does not train.
        """
        made = self.explicit(model)
        names = [symbol.name for symbol in made.trained]
        given = expanded(self.learning_rates, made._groups, made.name)
        check_names(given, names, (), made.name, "trained scalar")
        return tuple(given.get(name, self.learning_rate) for name in names)

    def provenance(self, model: Model) -> dict[str, Any]:
        """What the results for `model` record, on either side: how both were posed, by the values that were used."""
        made = self.explicit(model)
        rates = dict(zip((s.name for s in made.trained), self.trained_rates(made), strict=True))
        return {
            "model": made.name,
            "d": self.spectrum.d,
            "spectrum": self.spectrum.label,
            "learning_rate": self.learning_rate.describe(),
            "delta": self.delta,
            "batch_size": self.batch_size,
            "parameters": made.parameter_values(self.parameters),
            **({"learning_rates": {name: rate.describe() for name, rate in rates.items()}} if rates else {}),
        }

    def describe(self) -> dict[str, Any]:
        """Everything that defines the problem as plain text and numbers, for reports and file attributes."""
        return {
            "spectrum": self.spectrum.label,
            "d": self.spectrum.d,
            "start": repr(self.start),
            "learning_rate": self.learning_rate.describe(),
            "delta": self.delta,
            "parameters": dict(self.parameters),
            "batch_size": self.batch_size,
            "horizon": self.horizon,
            **self._more(),
            **({"data": repr(self.data)} if self.data is not None else {}),
        }

    def _more(self) -> dict[str, Any]:
        """What only models with trained scalars or sizes have."""
        rates = {name: rate.describe() for name, rate in self.learning_rates.items()}
        return {name: value for name, value in (("learning_rates", rates), ("sizes", dict(self.sizes))) if value}

    def __repr__(self) -> str:
        width = max(len(f.name) for f in fields(self))
        shown = {
            **{f.name: getattr(self, f.name) for f in fields(self)},
            "learning_rate": self.learning_rate.describe(),
            "learning_rates": None,
            "sizes": None,
            **self._more(),
        }
        lines = [f"  {name:<{width}}  {value}" for name, value in shown.items() if value is not None]
        return "\n".join(["Problem", *lines])

    def _repr_html_(self) -> str:
        from .show import numbers

        return numbers.problem(self)


def _check_kind(value: Any, kind: type, name: str, example: str) -> None:
    if isinstance(value, kind):
        return
    if callable(value):
        remedy = f"call it: {example}"
    elif kind is Spectrum and np.ndim(value) in (1, 2):
        made = "eigenvalues" if np.ndim(value) == 1 else "from_matrix"
        remedy = f"wrap the array: hd.spectrum.{made}(...)"
    else:
        remedy = f"give for instance {example}"
    shown = type(value).__name__ if np.ndim(value) else repr(value)
    raise DeclarationError(f"the {name} of the problem is {shown}, not a {kind.__name__}", remedy=remedy)
