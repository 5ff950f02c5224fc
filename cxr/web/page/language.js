// Switches the language of Gradio's front end, which keeps it in the document's own `lang`; by that
// the style sheet chooses among this page's words.

const KEY = "cxr-language";
const [ENGLISH, CHINESE] = ["en", "zh-CN"];
const near = (name) => (/^zh/i.test(name || "") ? CHINESE : ENGLISH);

function remembered() {
  try { return localStorage.getItem(KEY); } catch { return null; } // as in some frames
}

function remember(language) {
  try { localStorage.setItem(KEY, language); } catch { /* as above */ }
}

// Gradio offers no way of its own to do it from outside, but its module can be had again.
async function gradio() {
  const addresses = [
    ...performance.getEntriesByType("resource").map((entry) => entry.name),
    ...[...document.querySelectorAll("link[href]")].map((link) => link.href),
  ];
  const address = addresses.find((name) => /\/assets\/core-[\w-]+\.js$/.test(name));
  return address ? import(address) : {};
}

async function speak(language) {
  const buttons = [...element.querySelectorAll("button")];
  const ours = buttons.some((button) => button.dataset.title === document.title); // not a blog's
  for (const button of buttons) {
    button.setAttribute("aria-pressed", button.lang === language);
    if (ours && button.lang === language) document.title = button.dataset.title;
  }
  if (document.documentElement.lang !== language) {
    try {
      (await gradio()).changeLocale?.(language);
    } catch { /* Gradio's few words stay as they are */ }
  }
  document.documentElement.lang = language;
  nameTabs();
}

// Gradio names a tab that was not opened yet once, in the language that the page was loaded in.
const page = element.closest(".gradio-container");
function nameTabs() {
  const language = near(document.documentElement.lang);
  for (const tab of page.querySelectorAll("[role=tab]")) {
    const words = JSON.parse(element.querySelector("[data-tabs]").dataset.tabs)
      .find((names) => Object.values(names).includes(tab.textContent.trim()));
    const text = [...tab.childNodes].find((node) => node.data?.trim());
    if (words && text && text.data.trim() !== words[language]) text.data = words[language];
  }
}

element.addEventListener("click", (event) => {
  const language = event.target.closest("button")?.lang;
  if (!language) return;
  remember(language);
  speak(language);
});

// Tabs are made anew where the width of the page asks for it.
new MutationObserver(nameTabs).observe(page, { childList: true, subtree: true });
const asked = new URLSearchParams(location.search).get("lang");
speak(near(asked || remembered() || navigator.language));
