import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from campose_core.threads import one_blas_thread


def blas_threads() -> set[int]:
    np.eye(2) @ np.eye(2)
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_a_function_on_one_blas_thread_leaves_the_callers_number_alone() -> None:
    @one_blas_thread
    def inside(fails: bool) -> set[int]:
        if fails:
            raise KeyError
        return blas_threads()

    with threadpool_limits(3, user_api="blas"):
        before = blas_threads()
        assert before != {1}
        assert inside(fails=False) == {1}
        with pytest.raises(KeyError):
            inside(fails=True)
        assert blas_threads() == before
