// Images that are pasted, or dropped beside the field, go the way of chosen ones; those that are too
// large are told of before anything is sent.

const page = element.closest(".gradio-container");
const tooLarge = element.querySelector('[data-part="too-large"]');
const notSent = element.querySelector('[data-part="not-sent"]');
const field = () => page.querySelector("#image");
const onPage = () => field()?.offsetParent; // its tab is open

function say(sentence) {
  page.dispatchEvent(new CustomEvent("cxr-problem", { detail: sentence }));
}

function fits(file) {
  if (file.size <= tooLarge.dataset.most * 1e6) return true;
  say(tooLarge.innerHTML.replaceAll("{size}", (file.size / 1e6).toFixed(1)));
  return false;
}

// Gradio's field takes no file while it shows one, so that one goes first.
async function give(file) {
  if (!fits(file)) return;
  let input = field().querySelector("input[type=file]");
  if (!input) {
    field().querySelector(".icon-button-wrapper button")?.click();
    for (let tries = 0; tries < 50 && !input; tries++) {
      await new Promise((done) => setTimeout(done, 20));
      input = field().querySelector("input[type=file]");
    }
  }
  if (!input) return;
  const files = new DataTransfer();
  files.items.add(file);
  input.files = files.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

// Gradio marks its field where a file could not be sent, and tells why in its client's words.
let failed = false;
new MutationObserver(() => {
  const before = failed;
  failed = Boolean(field()?.querySelector('[data-testid="status-tracker"] .error'));
  if (failed && !before) say(notSent.innerHTML);
}).observe(page, { childList: true, subtree: true });

// Before Gradio's own listeners.
document.addEventListener("change", (event) => {
  const [file] = event.target.files || [];
  if (!file || !onPage() || !field().contains(event.target)) return;
  say("");
  if (fits(file)) return;
  event.stopImmediatePropagation();
  event.target.value = "";
}, { capture: true });
document.addEventListener("drop", (event) => {
  const [file] = event.dataTransfer?.files || [];
  if (!file || !onPage() || !field().contains(event.target)) return;
  say("");
  if (fits(file)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

// After them: what they left.
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData?.files || [];
  if (!file || !onPage() || event.defaultPrevented) return;
  event.preventDefault();
  give(file);
});
document.addEventListener("dragover", (event) => {
  if (onPage() && event.dataTransfer?.types.includes("Files")) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  const [file] = event.dataTransfer?.files || [];
  if (!file || !onPage() || event.defaultPrevented || field().contains(event.target)) return;
  event.preventDefault();
  give(file);
});
