# SPDX-License-Identifier: GPL-2.0-or-later
import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from lab import Lab  # noqa: E402
from programs import joined, make_pki  # noqa: E402


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return make_pki(tmp_path_factory.mktemp("pki") / "pki")


def own_names():
    """Whom this machine itself asks for names, and what lies beside that."""
    return {path: (path.is_symlink(), path.read_text()) for path in pathlib.Path("/etc").glob("resolv.conf*") if path.exists()}


@pytest.fixture(scope="session", autouse=True)
def untouched():
    before = own_names()
    yield
    assert own_names() == before, "the machine's own resolv.conf"


@pytest.fixture(scope="module")
def lab():
    lab = Lab(os.environ.get("LAB_WAN"))
    yield lab
    lab.delete()


@pytest.fixture(scope="module")
def tunnel(lab, pki, tmp_path_factory):
    """A gate and a portal that is up; for tests that leave both as they found them."""
    with joined(lab, tmp_path_factory.mktemp("tunnel"), pki) as both:
        yield both


FIGURES = []


@pytest.fixture
def figure():
    """Keeps a line of what was measured for the end of the run."""
    return FIGURES.append


def pytest_terminal_summary(terminalreporter):
    for line in FIGURES:
        terminalreporter.write_line(f"figure: {line}")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the programs logged."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for program in item.funcargs.get("tunnel", ()):
            report.sections.append((f"log of {program.name}", program.log()[-4000:]))


def pytest_sessionfinish():
    """Instances that were killed on purpose leave their names behind; ours end with this process's id."""
    for left in pathlib.Path("/run/usher").glob(f"*{os.getpid()}"):
        shutil.rmtree(left, ignore_errors=True)
