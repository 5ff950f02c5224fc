// As a web component the page is a part of somebody else's document, which is left alone.
if (window.__gradio_mode__ === "app") {
  const root = document.documentElement;
  const view = new URLSearchParams(location.search).get("view");
  root.classList.toggle("compact", view === "compact");
  if (window.parent !== window) {
    root.classList.add("framed");
    const page = document.querySelector("gradio-app");
    const tell = () => {
      const height = Math.ceil(page.getBoundingClientRect().height);
      window.parent.postMessage({ chestXrayHeight: height }, "*");
    };
    new ResizeObserver(tell).observe(page);
  }
}
