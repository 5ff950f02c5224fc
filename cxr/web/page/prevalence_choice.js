// The prevalence: radios, and a field for shares of the reader's own. What is asked for goes to the
// server, which sets this component's value once it has understood it; or is the value at once.

const radio = (value) => element.querySelector(`input[value="${value}"]`);
const field = element.querySelector("input[type=text]");

function choose() {
  const known = ["nih", "training"].includes(props.value);
  radio(known ? props.value : "own").checked = true;
  return known;
}

function mark() {
  if (!choose()) field.value = props.value;
}

function ask(stated) {
  if (props.at_once) props.value = stated;
  trigger("input", { stated });
}

for (const value of ["nih", "training"]) {
  radio(value).addEventListener("change", () => ask(value));
}
radio("own").addEventListener("change", () => {
  field.focus();
  if (field.value.trim()) ask(field.value);
});
field.addEventListener("input", () => { radio("own").checked = true; });
field.addEventListener("change", () => { if (field.value.trim()) ask(field.value); });
field.addEventListener("blur", () => { if (!field.value.trim()) mark(); });
watch("value", mark);
// If no response came, the choice is again the prevalence of the scores.
const page = element.closest(".gradio-container");
function settle() {
  if (element.isConnected && !props.at_once) choose();
}
page.addEventListener("cxr-settled", settle);
// Gradio marks what it could not fill, as when too many requests are waiting, and goes no further.
let failed = false;
new MutationObserver(() => {
  const before = failed;
  failed = Boolean(page.querySelector('#prevalence [data-testid="status-tracker"] .error'));
  if (failed && !before) settle();
}).observe(page, { childList: true, subtree: true });
mark();
