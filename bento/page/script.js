// The page is whole without this: it spares a reload, says that work is under way, and checks a file before it is sent.
"use strict";

// Notes a view while the answer stays on the page.
for (const form of document.querySelectorAll("form.opinion")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = form.querySelector(".said");
    const agrees = form.querySelector("[name=agrees]:checked");
    const why = form.querySelector("[name=why]");
    if (agrees && agrees.value === "no" && !why.value.trim()) {
      said.textContent = "Say why you disagree.";
      why.focus();
      return;
    }
    said.textContent = "Sending…";
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      said.textContent = answer.ok ? "Noted, with the number of the answer." : "This was not kept: the service keeps no log, or cannot write it now.";
    } catch {
      said.textContent = "The server cannot be reached. Try again later.";
    }
  });
}

// Says that a file is being read, and stops one that is too large before it is sent.
for (const form of document.querySelectorAll("form.upload")) {
  form.addEventListener("submit", (event) => {
    const input = form.querySelector("[type=file]");
    const said = form.querySelector(".said");
    const file = input.files[0];
    if (file && file.size > Number(input.dataset.most)) {
      event.preventDefault();
      said.textContent = "That file is more than 5 MB. Split it into smaller files.";
      input.focus();
      return;
    }
    said.textContent = file ? "Reading the file…" : "";
  });
}

// A link of the error summary focuses the control that it is about.
for (const link of document.querySelectorAll(".summary a")) {
  link.addEventListener("click", (event) => {
    const control = document.getElementById(link.hash.slice(1));
    if (!control) return;
    event.preventDefault();
    (control.closest(".field") || control).scrollIntoView({ block: "start" });
    control.focus({ preventScroll: true });
  });
}
