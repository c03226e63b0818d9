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

// Writes: JSON, and from a signed-in browser with the page's proof that it is ours. On an open server the reader says who acts.
const lockgate = (() => {
  const proof = () => document.querySelector('meta[name="csrf"]')?.content ?? "";

  const actor = () => {
    const given = localStorage.getItem("lockgate-actor") ?? prompt("Your name, as the audit log shall have it")?.trim();
    if (!given) throw new Error("Nobody acts without a name.");
    localStorage.setItem("lockgate-actor", given);
    return String.fromCharCode(...new TextEncoder().encode(given)); // a header holds bytes: the name's UTF-8
  };

  const signIn = () => location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);

  // The answer's JSON (null if there is none); an Error with `status`, and `hint` where there is one, if it was refused.
  const send = async (method, url, json) => {
    const who = proof() ? { "x-lockgate-csrf": proof() } : url === "/login" ? {} : { "x-lockgate-actor": actor() };
    const headers = { "content-type": "application/json", accept: "application/json", ...who };
    const answer = await fetch(url, { method, headers, body: JSON.stringify(json ?? {}) });
    const told = await answer.json().catch(() => null);
    if (answer.ok) return told;
    if (answer.status === 401 && url !== "/login") signIn();
    throw Object.assign(new Error(told?.detail ?? `The server answered ${answer.status}.`), { status: answer.status, hint: told?.hint ?? "" });
  };

  document.addEventListener("click", async (event) => {
    if (!event.target.closest("[data-sign-out]")) return;
    await send("POST", "/logout");
    location.assign("/login");
  });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 401) signIn();
  });
  return { send };
})();
