"""What every implementation of a port must do: run each check on a fresh, empty one. A new integration is done when all pass.

@pytest.mark.parametrize("check", STATE_CHECKS, ids=lambda check: check.__name__)
def test_contract(check, my_state):
    check(my_state)
"""
