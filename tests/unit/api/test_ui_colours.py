"""Contrast, computed from the tokens of the stylesheet: text reaches 4.5 : 1 (WCAG AA) in both schemes."""

from __future__ import annotations

import re
from itertools import product

import pytest

from lockgate.entrypoints.ui.render import STATIC

TEXT = ("ink", "muted", "water", "good", "bad", "ask", "calm", "second", "third")
GROUNDS = ("paper", "card")
CHIPS = (
    ("good", "good-soft"),
    ("bad", "bad-soft"),
    ("ask", "ask-soft"),
    ("water", "water-soft"),
    ("card", "water"),
    ("beam-ink", "beam"),
)


def tokens() -> dict[str, dict[str, str]]:
    css = (STATIC / "lockgate.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    found = {"light": dict(re.findall(r"--([\w-]+): (#\w{6});", light))}
    found["dark"] = found["light"] | dict(re.findall(r"--([\w-]+): (#\w{6});", dark))
    return found


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), [*product(TEXT, GROUNDS), *CHIPS])
def test_text_can_be_read(scheme: str, text: str, ground: str) -> None:
    colours = tokens()[scheme]
    assert contrast(colours[text], colours[ground]) >= 4.5
