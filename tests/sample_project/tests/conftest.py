import pytest
from front_desk import FrontDesk, Patient, Visit

TAMSIN = Patient("Tamsin", "Quill", "1984-06-17", "W100000001")
JORAH = Patient("Jorah", "Penhallow", "1971-11-03", "W100000002")  # of the sandbox's sample data: his plan has ended
NOBODY = Patient("Nobody", "Known", "1990-01-01", "W100000003")


@pytest.fixture
def desk(pokitdok_sandbox):
    """The desk as it is in production: it connects by itself, and finds the sandbox."""
    return FrontDesk()


@pytest.fixture
def visit():
    return Visit(TAMSIN, "2026-11-02", "99213", "J10.1", 60.0)


@pytest.fixture(scope="session")
def vcr_config(pokitdok_vcr_config):
    return pokitdok_vcr_config
