// Keeps the chosen finding as this component's value and tells the rest of the page of it.

const page = element.closest(".gradio-container");

function tell() {
  const chosen = props.value || "";
  const radio = element.querySelector(`input[value="${chosen}"]`);
  if (radio) radio.checked = true;
  for (const record of element.querySelectorAll("[data-record]")) {
    record.hidden = record.dataset.record !== chosen;
  }
  page.dispatchEvent(new CustomEvent("cxr-chosen", { detail: chosen }));
}

function choose(label) {
  props.value = label;
  tell();
}

element.addEventListener("change", (event) => choose(event.target.value));
page.addEventListener("cxr-choose", (event) => {
  if (element.isConnected) choose(event.detail);
});
watch("value", tell);
tell();
