"""Studies on a local Dask cluster give the tables of one worker."""

import joblib
import pandas as pd
import pytest

from shiftlab.explanation import (
    ConceptShiftWorld,
    ExplanationDisparityStudy,
    LimeExplainer,
    NetworkClassifier,
)


@pytest.mark.dask
@pytest.mark.slow
def test_dask_workers_do_not_change_a_bit(tmp_path):
    distributed = pytest.importorskip("distributed")

    def study():
        return ExplanationDisparityStudy(
            ConceptShiftWorld(n_train=200, n_test=60),
            {"beta": [-0.5, 1.5], "include_sensitive": [False, True]},
            models={"network": NetworkClassifier((8,), epochs=3)},
            explainers={"lime": LimeExplainer(n_samples=40, n_blocks=5)},
            n_replicates=3,
            random_state=7,
        )

    alone = study().run().to_frame()
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        local_directory=str(tmp_path),
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        together = study().run().to_frame()
    pd.testing.assert_frame_equal(together, alone, check_exact=True)
