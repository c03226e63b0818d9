// Everything that can be operated or that is a landmark, and has no name that a screen reader could say.
() => {
  const places = "a, button, select, input, summary, nav, svg, [role=region], [role=group], [role=img]";
  const hidden = (one) => one.closest("[aria-hidden=true]");
  const told = (one) => one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || one.labels?.length;
  const spelt = (one) => one.tagName !== "NAV" && one.textContent.trim();
  return [...document.querySelectorAll(places)].filter((one) => !hidden(one) && !told(one) && !spelt(one)).map((one) => one.outerHTML.slice(0, 120));
}
