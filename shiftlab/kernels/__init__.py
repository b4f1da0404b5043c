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
from shiftlab.kernels._product import ProductKernel

__all__ = [
    "Bandwidth",
    "Delta",
    "Energy",
    "Gaussian",
    "Kernel",
    "Laplace",
    "ProductKernel",
    "RationalQuadratic",
    "centre_features",
    "centre_gram",
    "choose_bandwidth",
    "gram",
    "gram_product",
    "gram_sum",
    "gram_trace",
    "median_bandwidth",
    "robust_scale",
    "scott_bandwidth",
    "silverman_bandwidth",
]
