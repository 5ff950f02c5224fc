// Sentences of the page's own scripts stand where the server's do.

const page = element.closest(".gradio-container");
page.addEventListener("cxr-problem", (event) => {
  if (element.isConnected) props.value = event.detail ? `<p>${event.detail}</p>` : "";
});

// Gradio marks what it could not fill, as when too many requests are waiting, and goes no further.
let failed = false;
new MutationObserver(() => {
  const before = failed;
  failed = Boolean(page.querySelector('#problem [data-testid="status-tracker"] .error'));
  if (!failed || before || !element.isConnected) return;
  document.documentElement.classList.remove("cxr-busy");
  document.documentElement.classList.add("cxr-failed");
  props.value = element.querySelector('[data-part="no-answer"]').innerHTML;
}).observe(page, { childList: true, subtree: true });
