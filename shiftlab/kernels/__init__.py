"""Kernels, their bandwidths, Gram matrices in blocks and low-rank factors.

Conditional-independence tests, HSIC, maximum mean discrepancy and energy distance all use these
parts: a small frozen kernel, a rule for its bandwidth, and either blocked reductions or features
whose inner products are the kernel.
"""

from shiftlab.kernels._bandwidth import (
    choose_bandwidth,
    median_bandwidth,
    robust_scale,
    scott_bandwidth,
    silverman_bandwidth,
)
from shiftlab.kernels._factors import Factor, FourierFactor, LandmarkFactor, ProductFactor
from shiftlab.kernels._functions import (
    Bandwidth,
    Delta,
    Energy,
    Gaussian,
    Kernel,
    Laplace,
    RationalQuadratic,
)
from shiftlab.kernels._gram import (
    centre_features,
    centre_gram,
    gram,
    gram_product,
    gram_sum,
    gram_trace,
)
from shiftlab.kernels._lowrank import fourier_factor, low_rank_factor, product_factor
from shiftlab.kernels._nystrom import category_factor, cholesky_factor, nystrom_factor
from shiftlab.kernels._product import ProductKernel
from shiftlab.kernels._tables import kernel_for, kernel_matrix

__all__ = [
    "Bandwidth",
    "Delta",
    "Energy",
    "Factor",
    "FourierFactor",
    "Gaussian",
    "Kernel",
    "LandmarkFactor",
    "Laplace",
    "ProductFactor",
    "ProductKernel",
    "RationalQuadratic",
    "category_factor",
    "centre_features",
    "centre_gram",
    "cholesky_factor",
    "choose_bandwidth",
    "fourier_factor",
    "gram",
    "gram_product",
    "gram_sum",
    "gram_trace",
    "kernel_for",
    "kernel_matrix",
    "low_rank_factor",
    "median_bandwidth",
    "nystrom_factor",
    "product_factor",
    "robust_scale",
    "scott_bandwidth",
    "silverman_bandwidth",
]
