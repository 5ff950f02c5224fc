"""What the browser does to save a file that it was handed, without an address on the server."""

_SAVE = """
(name, kind, content) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], {type: kind}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
"""

# Of an object {name, kind, content}, the content in base64.
FILE = f"""
(file) => {{
  if (!file) return;
  const content = Uint8Array.from(atob(file.content), (letter) => letter.charCodeAt(0));
  ({_SAVE})(file.name, file.kind, content);
}}
"""


def text(name: str, kind: str) -> str:
    """Of a text, as a file of that name and MIME type, both of which are this program's own."""
    return f'(text) => {{ ({_SAVE})("{name}", "{kind};charset=utf-8", text); }}'
