// The prevalence: radios, and a field for shares of the reader's own. What is asked for goes to the
// server, which sets this component's value once it has understood it; or is the value at once.

const radio = (value) => element.querySelector(`input[value="${value}"]`);
const field = element.querySelector("input[type=text]");

function mark() {
  const stated = props.value;
  const known = stated === "nih" || stated === "training";
  radio(known ? stated : "own").checked = true;
  if (!known) field.value = stated;
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
field.addEventListener("focus", () => { radio("own").checked = true; });
field.addEventListener("change", () => { if (field.value.trim()) ask(field.value); });
field.addEventListener("blur", () => { if (!field.value.trim()) mark(); });
watch("value", mark);
mark();
