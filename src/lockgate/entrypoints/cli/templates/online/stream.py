"""Parcels in the order in which they were delivered, and whether each came late. Any of them can be made again from its number.

Up to parcel 2000, which is what data/parcels.csv holds, far ways and rain made parcels late. From then on the town's new streets
take over, little by little until parcel 8000: heavy parcels are late, far ones no longer.
"""

import math
import random
from pathlib import Path

KNOWN, CHANGED = 2000, 8000
COLUMNS = ("distance", "weight", "hour", "rain", "late")


def parcel(number):
    """The inputs by name, and 1 if it was late."""
    dice = random.Random(f"parcel {number}")
    distance, weight = round(dice.uniform(1, 40), 1), round(dice.uniform(0.2, 20), 1)
    hour, rain = dice.randrange(7, 20), int(dice.random() < 0.3)
    before = 0.29 * (distance - 20) + 3.2 * rain - 1.0
    after = -0.08 * (distance - 20) + 0.48 * (weight - 10) + 1.6 * rain + 0.6
    new = min(max((number - KNOWN) / (CHANGED - KNOWN), 0.0), 1.0)
    chance = 1 / (1 + math.exp(-((1 - new) * before + new * after)))
    return {"distance": distance, "weight": weight, "hour": hour, "rain": rain}, int(dice.random() < chance)


def table():
    """What data/parcels.csv holds."""
    rows = ([*inputs.values(), late] for inputs, late in map(parcel, range(KNOWN)))
    return "".join(f"{','.join(map(str, row))}\n" for row in (COLUMNS, *rows))


if __name__ == "__main__":
    (Path(__file__).parent / "data" / "parcels.csv").write_text(table())
