// Sentences of the page's own scripts stand where the server's do.

element.closest(".gradio-container").addEventListener("cxr-problem", (event) => {
  if (element.isConnected) props.value = event.detail ? `<p>${event.detail}</p>` : "";
});
