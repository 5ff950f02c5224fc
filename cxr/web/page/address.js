// Puts the address of this page where it is wanted. As a web component the page is a part of
// another, and its own address is the component's.

const source = element.closest("gradio-app")?.getAttribute("src");
const address = (source || location.origin + location.pathname).replace(/\/+$/, "");
for (const place of element.querySelectorAll(".address")) place.textContent = address;
for (const link of element.querySelectorAll("a[data-path]"))
  link.href = `${address}/${link.dataset.path}`;
