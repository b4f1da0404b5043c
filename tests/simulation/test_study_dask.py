"""The same study on a local Dask cluster."""

import joblib
import numpy as np
import pandas as pd
import pytest

from shiftlab.simulation import Study


def draw(n, seed):
    rng = np.random.default_rng(seed)
    return {"value": rng.normal(size=n).mean(), "label": rng.choice(["a", "b"])}


@pytest.mark.dask
@pytest.mark.parametrize("processes", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_dask_gives_the_same_bits(tmp_path, processes):
    distributed = pytest.importorskip("distributed")
    study = Study(draw, {"n": [2, 5, 9]}, n_replicates=40, random_state=2)
    with (
        distributed.LocalCluster(
            n_workers=2 if processes else 1,
            threads_per_worker=1 if processes else 2,
            processes=processes,
            dashboard_address=None,
            local_directory=str(tmp_path),
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        found = study.run(target_mcse={"value": 0.05}, max_replicates=100)
    plain = Study(draw, {"n": [2, 5, 9]}, n_replicates=40, random_state=2)
    expected = plain.run(target_mcse={"value": 0.05}, max_replicates=100)
    assert found.n_done > 120
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame(), check_exact=True)
