"""Spectra: levels, multiplicities and order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hdsym as hd
from hdsym.errors import DeclarationError


def test_identity_needs_no_dimension_and_no_memory() -> None:
    limit = hd.spectrum.identity()
    assert limit.d is None
    assert limit.multiplicities is None
    assert limit.levels.tolist() == [1.0]
    assert limit.mean == limit.second_moment == 1.0
    assert limit.effective_dimension == np.inf
    huge = hd.spectrum.identity(d=10**12)  # would be 8 TB if anything of length d were made
    assert huge.multiplicities is not None
    assert huge.multiplicities.tolist() == [10**12]
    assert huge.effective_dimension == 1e12
    with pytest.raises(DeclarationError, match="no dimension"):
        limit.eigenvalues()


def test_explicit_eigenvalues_keep_the_order_of_coordinates() -> None:
    values = [2.0, 0.0, 3.0, 2.0, 3.0, 3.0]
    spectrum = hd.spectrum.eigenvalues(values)
    assert spectrum.levels.tolist() == [3.0, 2.0, 0.0]
    assert spectrum.multiplicities is not None
    assert spectrum.multiplicities.tolist() == [3, 2, 1]
    assert spectrum.fractions == pytest.approx([1 / 2, 1 / 3, 1 / 6])
    assert spectrum.eigenvalues().tolist() == values
    assert spectrum.level_of_coordinate().tolist() == [1, 2, 0, 1, 0, 0]
    assert spectrum.mean == pytest.approx(np.mean(values))
    assert spectrum.second_moment == pytest.approx(np.mean(np.square(values)))
    assert spectrum.effective_dimension == pytest.approx(np.sum(values) ** 2 / np.sum(np.square(values)))


def test_sorted_eigenvalues_need_no_order() -> None:
    assert hd.spectrum.eigenvalues([3.0, 3.0, 1.0]).order is None
    assert hd.spectrum.eigenvalues([1.0, 3.0, 3.0]).order is not None


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 7.0]), min_size=1, max_size=30).filter(any))
def test_eigenvalues_come_back(values: list[float]) -> None:
    spectrum = hd.spectrum.eigenvalues(values)
    assert spectrum.eigenvalues().tolist() == values
    assert len(spectrum.levels) == len(set(values))
    assert spectrum.fractions.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("alpha", [0.6, 1.5, -0.5])
def test_power_law(alpha: float) -> None:
    spectrum = hd.spectrum.power_law(alpha, d=50, trace=3.0)
    values = spectrum.eigenvalues()
    assert values.mean() == pytest.approx(3.0, rel=1e-13)
    assert values / values[0] == pytest.approx(np.arange(1, 51) ** -alpha, rel=1e-12)


def test_flat_power_law_is_one_level() -> None:
    spectrum = hd.spectrum.power_law(0.0, d=50)
    assert len(spectrum.levels) == 1
    assert spectrum.eigenvalues() == pytest.approx(np.ones(50))


def test_matrix_is_diagonalised() -> None:
    rng = np.random.default_rng(1)
    root = rng.standard_normal((6, 6))
    K = root @ root.T
    spectrum = hd.spectrum.from_matrix(K)
    assert spectrum.basis is not None
    assert (spectrum.basis * spectrum.eigenvalues()) @ spectrum.basis.T == pytest.approx(K, abs=1e-12)
    assert np.all(np.diff(spectrum.eigenvalues()) < 0)


@pytest.mark.parametrize("center", [False, True])
def test_data_with_fewer_samples_than_dimensions_has_exact_zeros(center: bool) -> None:
    A = np.random.default_rng(2).standard_normal((7, 20)) + 1.0
    spectrum = hd.spectrum.from_data(A, center=center)
    rank = 6 if center else 7
    assert np.count_nonzero(spectrum.eigenvalues() == 0.0) == 20 - rank
    assert spectrum.levels[-1] == 0.0
    assert len(spectrum.levels) == rank + 1
    used = A - A.mean(axis=0) if center else A
    assert spectrum.basis is not None
    K = (spectrum.basis * spectrum.eigenvalues()) @ spectrum.basis.T
    assert pytest.approx(used.T @ used / 7, abs=1e-12) == K


def test_records_do_not_change() -> None:
    values = np.array([2.0, 1.0])
    spectrum = hd.spectrum.eigenvalues(values)
    values[0] = 100.0
    assert spectrum.levels[0] == 2.0
    with pytest.raises(ValueError, match="read-only"):
        spectrum.levels[0] = 5.0


def test_rounding_below_zero_is_clipped() -> None:
    assert hd.spectrum.eigenvalues([1.0, -1e-16]).levels.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hd.spectrum.eigenvalues([]), r"shape \(0,\)"),
        (lambda: hd.spectrum.eigenvalues([[1.0]]), r"shape \(1, 1\)"),
        (lambda: hd.spectrum.eigenvalues([1.0, np.nan]), r"entry \(1,\) is nan"),
        (lambda: hd.spectrum.eigenvalues([1.0, -0.25]), r"smallest is -0\.25"),
        (lambda: hd.spectrum.eigenvalues([0.0, 0.0]), "all zero"),
        (lambda: hd.spectrum.eigenvalues([1j]), "complex"),
        (lambda: hd.spectrum.eigenvalues(["a"]), "not real numbers"),
        (lambda: hd.spectrum.identity(d=0), "d is 0"),
        (lambda: hd.spectrum.identity(d=2.5), r"d is 2\.5"),  # type: ignore[arg-type]
        (lambda: hd.spectrum.identity(d=True), "d is True"),
        (lambda: hd.spectrum.power_law(np.inf, d=5), "alpha is inf"),
        (lambda: hd.spectrum.power_law(1.0, d=5, trace=-1.0), r"trace of the power law is -1"),
        (lambda: hd.spectrum.power_law(400.0, d=1000), "floating-point"),
        (lambda: hd.spectrum.from_matrix(np.ones((2, 3))), r"shape \(2, 3\)"),
        (lambda: hd.spectrum.from_matrix(np.empty((0, 0))), r"shape \(0, 0\)"),
        (lambda: hd.spectrum.from_matrix([[1.0, 0.5], [0.0, 1.0]]), r"largest asymmetry is 0\.5"),
        (lambda: hd.spectrum.from_matrix([[1.0, 2.0], [2.0, 1.0]]), r"smallest is -1"),
        (lambda: hd.spectrum.from_matrix([[1.0, np.inf], [np.inf, 1.0]]), "is inf"),
        (lambda: hd.spectrum.from_data(np.ones(3)), r"shape \(3,\)"),
        (lambda: hd.spectrum.from_data(np.ones((3, 2)), center=True), "all zero"),
        (lambda: hd.Spectrum(np.array([1.0, 2.0]), np.array([0.5, 0.6])), "fractions"),
        (lambda: hd.Spectrum(np.ones(1), np.ones(1), np.array([3]), 4), "multiplicities"),
        (lambda: hd.Spectrum(np.ones(1), np.ones(1), np.array([2]), 2, np.array([0, 1])), "order"),
        (lambda: hd.Spectrum(np.ones(1), np.ones(1), np.array([2]), 2, basis=np.ones((2, 2))), "not orthogonal"),
        (lambda: hd.Spectrum(np.ones(1), np.ones(1), np.array([2]), None), "without d"),
    ],
)
def test_mistakes_name_the_offender(make: object, message: str) -> None:
    with pytest.raises(DeclarationError, match=message) as caught:
        make()  # type: ignore[operator]
    assert caught.value.remedy


def test_repr_says_what_it_is() -> None:
    assert "power_law(0.6, d=2000)" in repr(hd.spectrum.power_law(0.6, d=2000))
    assert "infinity" in repr(hd.spectrum.identity())
