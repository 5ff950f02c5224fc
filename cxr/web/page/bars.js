// A click on a bar chooses its finding; the chosen one is marked.

const page = element.closest(".gradio-container");
let chosen = "";

function mark() {
  for (const bar of element.querySelectorAll("[data-finding]")) {
    bar.setAttribute("aria-pressed", bar.dataset.finding === chosen);
  }
}

element.addEventListener("click", (event) => {
  const bar = event.target.closest("[data-finding]");
  if (!bar) return;
  const again = bar.dataset.finding === chosen; // a second click shows the image alone
  page.dispatchEvent(new CustomEvent("cxr-choose", { detail: again ? "" : bar.dataset.finding }));
});
page.addEventListener("cxr-chosen", (event) => {
  if (!element.isConnected) return;
  chosen = event.detail;
  mark();
});
watch("value", mark);
