"""Eras are found by number or by name, and what is no era is refused with what is accepted."""

import pytest

from lab.find import UnknownEra, eras, find


def test_the_eras_here_are_numbered_from_zero():
    assert [era.number for era in eras()] == [str(n) for n in range(len(eras()))]


def test_number_and_name_are_the_same_era():
    assert find("0") == find("era0_naive")


@pytest.mark.parametrize("name", ["9", "-1", "", "era0", "no_such_package", "a b", "../era0_naive"])
def test_an_unknown_era_names_the_value_and_what_is_accepted(name):
    with pytest.raises(UnknownEra) as refused:
        find(name)
    assert repr(name) in str(refused.value)
    assert "0" in str(refused.value).partition("accepted")[2]


def test_a_package_without_schemes_is_no_era():
    with pytest.raises(UnknownEra, match="SCHEMES"):
        find("json")


def test_a_learners_own_package_is_an_era(tmp_path, monkeypatch):
    package = tmp_path / "my_own_era"
    package.mkdir()
    (package / "__init__.py").write_text('"""Mine."""\nSCHEMES = {"portable": "udp"}\n')
    monkeypatch.chdir(tmp_path)
    era = find("my_own_era")
    assert (era.title, era.number, era.schemes) == ("Mine.", "my_own_era", {"portable": "udp"})


def test_an_error_inside_an_era_is_not_called_an_unknown_era(tmp_path, monkeypatch):
    package = tmp_path / "my_broken_era"
    package.mkdir()
    (package / "__init__.py").write_text("import something_that_is_not_installed\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_installed"):
        find("my_broken_era")
