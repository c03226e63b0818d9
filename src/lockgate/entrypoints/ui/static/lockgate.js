// Keeps relative times true on a page that stays open: each grows older from what the server said, so this machine's clock may be wrong.
"use strict";

(() => {
  const units = [[90, 1, "s"], [90 * 60, 60, "min"], [36 * 3600, 3600, "h"], [28 * 86400, 86400, "d"]];

  const seconds = (text) => {
    const found = /^(\d+) (s|min|h|d)( ago)?$/.exec(text);
    const unit = found && units.find((one) => one[2] === found[2]);
    return text === "just now" ? 0 : unit ? Number(found[1]) * unit[1] : null;
  };

  const refresh = () => {
    for (const element of document.querySelectorAll("time[datetime]")) {
      if (element.dataset.base === undefined) {
        element.dataset.base = String(seconds(element.textContent) ?? "");
        element.dataset.after = /\d (s|min|h|d)$/.test(element.textContent) ? "" : " ago";
        element.dataset.from = String(Date.now());
      }
      if (element.dataset.base === "") continue;
      const age = Number(element.dataset.base) + (Date.now() - Number(element.dataset.from)) / 1000;
      const unit = units.find((one) => age < one[0]);
      if (unit) element.textContent = age < 1 && element.dataset.after ? "just now" : `${Math.floor(age / unit[1])} ${unit[2]}${element.dataset.after}`;
    }
  };

  refresh();
  document.addEventListener("htmx:afterSettle", refresh);
  setInterval(refresh, 5000);
})();
