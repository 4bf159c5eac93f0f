"use strict";
const texts = JSON.parse(document.getElementById("texts").textContent);
const form = document.getElementById("form"), fault = document.getElementById("fault");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  fault.textContent = "";
  const button = form.querySelector("button"), { name, password } = Object.fromEntries(new FormData(form));
  button.disabled = true;
  try {
    const answer = await fetch("/api/v1/session", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name, password }),
    });
    if (answer.ok) {
      location.replace(form.dataset.next);
      return;
    }
    const problem = await answer.json().catch(() => ({}));
    const seconds = problem.params?.retry_after_s ?? answer.headers.get("Retry-After") ?? "?";
    fault.textContent = (texts[problem.code] || texts.unreachable).replace("{retry_after_s}", seconds);
  } catch {
    fault.textContent = texts.unreachable;
  }
  button.disabled = false;
  form.password.select();
});

document.getElementById("language").addEventListener("click", (event) => {
  document.cookie = `parksentry_language=${event.target.dataset.language}; path=/; max-age=31536000; SameSite=Strict`;
  location.reload();
});
