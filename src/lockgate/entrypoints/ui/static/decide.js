// The pages on which people decide: what they answer is sent as JSON, and what comes of it is said beside the button.
"use strict";

(() => {
  const KEY = "lockgate-actor"; // as lockgate.js keeps it
  const SAID = "lockgate-said"; // what became of an answer, for the page that is read anew

  const said = sessionStorage.getItem(SAID);
  if (said) {
    sessionStorage.removeItem(SAID);
    const place = document.querySelector("[data-outcome]");
    place.hidden = false;
    place.textContent = said;
    place.focus(); // it was on a button that is gone
  }

  const field = document.querySelector("[data-actor]");
  if (field) {
    field.value = localStorage.getItem(KEY) ?? "";
    field.addEventListener("input", () => {
      const name = field.value.trim();
      if (name) localStorage.setItem(KEY, name);
      else localStorage.removeItem(KEY);
    });
  }

  const say = (form, text, hint, failed) => {
    const place = form.querySelector(".answer");
    place.classList.toggle("failed", failed);
    place.replaceChildren(text, ...(hint ? [document.createElement("br"), Object.assign(document.createElement("small"), { textContent: hint })] : []));
  };

  const send = async (form, url, json) => {
    if (field && !field.value.trim()) {
      field.focus();
      throw Object.assign(new Error("Say who acts first."), { hint: "The field «You act as» is empty." });
    }
    const buttons = form.querySelectorAll("button");
    buttons.forEach((button) => { button.disabled = true; });
    say(form, "Sending …", "", false);
    try {
      return await lockgate.send("POST", url, json);
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  };

  const PAST = { approve: "approved", reject: "rejected", cancel: "taken back" };

  const outcome = (act, request) => {
    if (act !== "approve") return `It is ${PAST[act]}.`;
    return request.state === "approved" ? `Approved: the way to ${request.to_stage} is open.` : "Your yes is written down; it needs more.";
  };

  const decide = async (form, act, button) => {
    try {
      const json = { comment: form.elements.comment?.value ?? "", ...(act === "approve" ? { if_digest: form.dataset.binding } : {}) };
      const request = await send(form, `/api/v1/requests/${encodeURIComponent(form.dataset.request)}/${act}`, json);
      sessionStorage.setItem(SAID, `${form.dataset.name}: ${outcome(act, request)}`);
      location.reload(); // what is shown shall be true: the count, the list, the number in the navigation
    } catch (error) {
      say(form, error.message, error.hint, true);
      if (document.activeElement === document.body) button.focus();
    }
  };

  const version = (form) => `/api/v1/models/${encodeURIComponent(form.dataset.model)}/versions/${form.dataset.version}`;

  const submit = async (form) => {
    try {
      if ("ask" in form.dataset) {
        const { to_stage, comment } = form.elements;
        const json = { model: form.dataset.model, version: Number(form.dataset.version), to_stage: to_stage.value, comment: comment.value };
        await send(form, "/api/v1/requests", { ...json, if_digest: form.dataset.digest });
      } else {
        await send(form, `${version(form)}/comments`, { text: form.elements.text.value });
      }
      location.reload();
    } catch (error) {
      say(form, error.message, error.hint, true);
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (button) decide(button.form, button.dataset.act, button);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest(".decide, .asking");
    if (!form) return;
    event.preventDefault();
    if (!form.matches(".decide")) submit(form);
  });
})();
