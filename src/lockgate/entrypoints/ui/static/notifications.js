// Buttons that send something anew. What came of it is on the page when it loads again; what was refused is said at its top.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-write]");
  if (!button) return;
  const refusal = document.getElementById("refusal");
  button.disabled = true;
  try {
    const told = await lockgate.send("POST", button.dataset.write);
    if (told?.status === undefined) return location.reload();
    button.textContent = `The receiver said ${told.status}`;
  } catch (error) {
    refusal.textContent = [error.message, error.hint].filter(Boolean).join(" ");
    refusal.hidden = false;
    button.disabled = false;
  }
});
