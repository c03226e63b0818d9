// Signing in with a token: sent as JSON, like every write, so that no other site's form can sign somebody in as somebody else.
"use strict";

document.querySelector("form.by-token")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const fault = form.querySelector(".fault");
  fault.textContent = "";
  try {
    await lockgate.send("POST", "/login", { token: form.elements.token.value.trim() });
    form.reset();
    location.replace(form.dataset.next);
  } catch (error) {
    fault.textContent = error.message;
    form.elements.token.select();
  }
});
