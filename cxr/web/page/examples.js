// A click on an example asks the server for its image.

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-example]");
  if (button) trigger("select", { number: Number(button.dataset.example) });
});
