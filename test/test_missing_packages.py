"""Where a package of an extra is not installed, what needs it skips, and a careless import of it fails."""

import pytest
from missing_packages import reason_to_skip

from campose_core.errors import MappingError, MissingDependency
from campose_core.extras import load_extra

ABSENT = "a_package_that_nobody_has"


def raised_by(code: str, file: str) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        exec(compile(code, file, "exec"), {})
    return caught.value


def test_a_test_that_imports_it_skips():
    assert reason_to_skip(raised_by(f"import {ABSENT}", __file__)) == f"{ABSENT} is not installed"


def test_what_is_refused_for_want_of_it_skips():
    with pytest.raises(MissingDependency) as refused:
        load_extra(ABSENT, "map")
    failed = MappingError("no map")
    failed.__cause__ = refused.value
    assert "pip install 'campose_ros[map]'" in reason_to_skip(failed)


def test_an_import_at_once_in_the_core_does_not(pytestconfig):
    core = str(pytestconfig.rootpath / "campose_core" / "floor.py")
    assert reason_to_skip(raised_by(f"import {ABSENT}", core)) == ""


def test_other_faults_do_not():
    assert reason_to_skip(raised_by("1 / 0", __file__)) == ""
    assert reason_to_skip(raised_by("import campose_core.no_such_module", __file__)) == ""
    assert reason_to_skip(raised_by("import test_missing_packages_of_another_folder", __file__)) == ""
    assert reason_to_skip(ModuleNotFoundError("No module named 'posters'", name="posters")) == ""
