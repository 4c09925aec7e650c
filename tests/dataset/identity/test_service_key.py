"""The service's key follows the serving contract exactly; `tests/service` compares it with Node."""

import pytest

from trajtune.dataset.identity.service_key import collapsed, service_key


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Gerente de Produção", "gerente de produo"),
        ("  Sr.\tSoftware\u00a0Eng. ", "senior software engineer"),
        ("R&D - Lead", "rd  lead"),
        ("sr.. dev", "senior developer"),
        ("SWE", "software engineer"),
        ("V.P. Sales", "vp sales"),
        ("vp. Sales", "vice president sales"),
        ("site constructor", "site function Object() { [native code] }"),
        ("__proto__", "[object Object]"),
        ("Lead -", "lead "),
        ("\ufeffLead", "lead"),
        ("Lead\x1cDev", "leaddev"),
        ("\u212angineer", "kngineer"),
        ("工程师", ""),
        ("高级 工程师", " "),
        ("C++", "c"),
        ("Snr. Dev", "snr developer"),
    ],
)
def test_the_service_key_follows_the_contract_exactly(title: str, key: str) -> None:
    assert service_key(title) == key


def test_a_collapsed_key_has_single_spaces() -> None:
    assert collapsed(service_key("R&D - Lead -")) == "rd lead"
    assert collapsed(service_key("高级 工程师")) == ""
