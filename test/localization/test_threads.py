import re

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from campose_core.localization.threads import one_blas_thread


def blas_threads() -> set[int]:
    """Of numpy and scipy; OpenCV and pycolmap bring libraries of their own."""
    found = threadpool_info()
    return {one["num_threads"] for one in found if re.search("(numpy|scipy).*blas|^/usr/lib", one["filepath"])}


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
