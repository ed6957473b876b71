// Comfort only: every page works without this file.
"use strict";

// Moments in the reader's zone and words; the one in UTC stays as the title.
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    time.title = time.textContent;
    time.textContent = moments.format(new Date(time.dateTime));
  }
}

// A line that counts the seconds while the server works.
function showProgress(button, word) {
  const line = document.createElement("p");
  line.className = "progress";
  line.setAttribute("role", "status");
  const spoken = document.createElement("span");
  const counted = document.createElement("span");
  counted.setAttribute("aria-hidden", "true");
  line.append(spoken, counted);
  button.closest(".actions, form").after(line);
  spoken.textContent = `${word} …`;
  const began = Date.now();
  const timer = setInterval(() => {
    counted.textContent = ` ${Math.round((Date.now() - began) / 1000)} s`;
  }, 1000);
  return () => { clearInterval(timer); line.remove(); };
}

// Sends the form and puts the answer into this page, so that typed passwords stay where they are.
async function sendInPlace(form, button) {
  const done = showProgress(button, button.dataset.progress);
  const passwords = [...form.querySelectorAll("input[type=password]")].map((input) => [input.id, input.value]);
  form.inert = true;
  try {
    const answer = await fetch(button.formAction, {
      method: "POST", body: new URLSearchParams(new FormData(form, button)), headers: { Accept: "text/html" },
    });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = page.querySelector("main");
    if (!main || answer.redirected) { location.reload(); return; }
    document.querySelector("main").replaceWith(document.adoptNode(main));
    document.title = page.title;
    for (const [id, value] of passwords) {
      const input = document.getElementById(id);
      if (input) { input.value = value; }
    }
    for (const line of main.querySelectorAll("[data-without-script]")) { line.remove(); }
    localise(main);
    (main.querySelector("#test-result, #errors[role=alert]") || main).focus();
  } catch {
    form.inert = false;
    button.after(Object.assign(document.createElement("p"), { className: "error", role: "alert", textContent: "The server did not answer. Try again." }));
  } finally {
    done();
  }
}

// Puts what a mail would look like beside the words that make it.
let asking = new AbortController();
async function showPreview(button) {
  asking.abort();
  asking = new AbortController();
  const old = document.querySelector(button.form.dataset.follow);
  try {
    const answer = await fetch(button.formAction, {
      method: "POST", body: new URLSearchParams(new FormData(button.form)), headers: { Accept: "text/html" }, signal: asking.signal,
    });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const shown = page.querySelector(button.form.dataset.follow);
    if (!shown) { throw new Error("It is no preview: perhaps nobody is signed in any more."); }
    // The style sheet in the frame has to carry the nonce of this page, not of the answer.
    const frame = shown.querySelector("iframe");
    if (frame) { frame.srcdoc = frame.srcdoc.replaceAll(shown.dataset.nonce, old.dataset.nonce); }
    shown.dataset.nonce = old.dataset.nonce;
    old.replaceWith(document.adoptNode(shown));
  } catch (error) {
    if (error.name === "AbortError") { return; }
    old.prepend(Object.assign(document.createElement("p"), { className: "error", role: "alert", textContent: "There is no preview right now: open another page beside this one to see why." }));
  }
}
let pause = 0;
document.addEventListener("input", (event) => {
  const button = event.target.form?.querySelector("button[data-preview]");
  clearTimeout(pause);
  if (button) { pause = setTimeout(() => showPreview(button), 500); }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) { event.preventDefault(); return; }
  const button = event.submitter;
  if (button && "preview" in button.dataset) {
    event.preventDefault();
    showPreview(button);
    return;
  }
  if (button && button.dataset.progress) {
    event.preventDefault();
    sendInPlace(form, button);
    return;
  }
  form.dataset.sent = "yes";
});
// Coming back with the browser's back button, a form may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.forms) { delete form.dataset.sent; }
});

localise(document);
document.querySelector("#errors[role=alert]")?.focus();
