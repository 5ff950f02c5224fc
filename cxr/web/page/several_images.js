// Files that are too large are left out and told of before Gradio's field sees them: for one of
// them it would take none of the choice.

const field = () => element.closest(".gradio-container").querySelector("#images");
const note = element.querySelector("[data-part=left-out]");
let passing = false; // on to Gradio what is sifted already

function sifted(files) {
  const fits = (file) => file.size <= props.most * 1e6;
  const large = [...files].filter((file) => !fits(file));
  note.hidden = large.length === 0;
  note.querySelector("bdi").textContent = large.map((file) => file.name).join(", ");
  const kept = new DataTransfer();
  for (const file of files) if (fits(file)) kept.items.add(file);
  return kept.files;
}

// Before Gradio's own listeners.
document.addEventListener("change", (event) => {
  const input = event.target;
  if (passing || !element.isConnected || input.type !== "file" || !field()?.contains(input)) return;
  const kept = sifted(input.files);
  if (kept.length === input.files.length) return;
  input.files = kept;
  if (kept.length === 0) event.stopImmediatePropagation();
}, { capture: true });
document.addEventListener("drop", (event) => {
  const dropped = event.dataTransfer?.files || [];
  if (!element.isConnected || !field()?.contains(event.target)) return;
  const kept = sifted(dropped);
  if (kept.length === dropped.length) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const input = field().querySelector("input[type=file]");
  if (kept.length === 0 || !input) return;
  input.files = kept;
  passing = true;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  passing = false;
}, { capture: true });

// Gradio marks what it could not fill, as when too many requests are waiting, tells why, and goes no
// further: the list is over as if the reader had stopped it.
const page = element.closest(".gradio-container");
let failed = false;
new MutationObserver(() => {
  const before = failed;
  failed = Boolean(page.querySelector('#batch-status [data-testid="status-tracker"] .error'));
  if (failed && !before && element.isConnected) page.querySelector("#batch-stop")?.click();
}).observe(page, { childList: true, subtree: true });
