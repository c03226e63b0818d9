import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from features import features


def flights(**changes):
    frame = {
        "year": 2013,
        "month": 1,
        "day": 1,
        "minute_of_day": [600, 630, 700, 900],
        "carrier": "UA",
        "flight": [1, 2, 3, 4],
        "origin": "EWR",
        "dest": "IAH",
        "distance": 1400.0,
        "scheduled": [600, 630, 700, 900],
        "departure_delay": [30.0, 0.0, 60.0, 0.0],
        "arrival_delay": [25.0, -5.0, 70.0, 0.0],
    }
    return pd.DataFrame(frame | changes)


def test_nothing_is_known_of_the_first_flight():
    assert features(flights())["recent_delay"].iloc[0] == 0


def test_the_last_flight_knows_the_delays_before_it():
    assert features(flights())["recent_delay"].iloc[3] == 30.0


def test_what_happens_after_the_question_changes_nothing():
    before = features(flights())["recent_delay"].iloc[2]
    later = features(flights(departure_delay=[30.0, 0.0, 60.0, 500.0]))["recent_delay"].iloc[2]
    assert before == later


def test_a_flight_that_has_not_left_has_waited_so_far():
    waiting = features(flights(departure_delay=[500.0, 0.0, 0.0, 0.0]))["recent_delay"].iloc[2]
    cancelled = features(flights(departure_delay=[None, 0.0, 0.0, 0.0]))["recent_delay"].iloc[2]
    assert waiting == cancelled == 20.0
