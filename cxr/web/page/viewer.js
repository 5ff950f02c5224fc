// Draws the image, and over it the heatmap for the finding that `chooser.js` says is chosen.
// All from what came with the answer: nothing here asks the server.

const page = element.closest(".gradio-container");
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const GLOW = [255, 140, 0]; // as heatmap.py's
const LARGEST = 8; // times

let image = null; // {width, height, grey}
let answer = null;
let chosen = "";
let view = { scale: 1, x: 0, y: 0 }; // of the stage, in pixels of the viewport
let inverted = false;

const number = (name) => Number(part(name).value);

function once(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  };
}

async function show() {
  answer = props.value ? JSON.parse(JSON.stringify(props.value)) : null;
  if (!answer) return;
  const mine = answer;
  const bitmap = new Image();
  bitmap.src = answer.image;
  await bitmap.decode();
  if (mine !== answer) return; // another image came meanwhile
  const canvas = part("image");
  const { naturalWidth: width, naturalHeight: height } = bitmap;
  for (const layer of [canvas, part("heatmap")]) {
    layer.width = width;
    layer.height = height;
  }
  element.style.setProperty("--image-width", width);
  element.style.setProperty("--image-height", height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  const pixels = pen.getImageData(0, 0, width, height).data;
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i++) grey[i] = pixels[4 * i];
  image = { width, height, grey };
  reset();
  drawHeatmap();
}

// The image through its window: level -/+ width / 2 spans black to white.
function drawImage() {
  if (!image) return;
  const [level, width] = [number("level"), number("width")];
  const shades = new Uint8ClampedArray(256);
  for (let v = 0; v < 256; v++) {
    const shade = width >= 255 && level === 128 ? v : (255 * (v - level + width / 2)) / width;
    shades[v] = inverted ? 255 - Math.min(255, Math.max(0, shade)) : shade;
  }
  const pen = part("image").getContext("2d");
  const bitmap = pen.createImageData(image.width, image.height);
  for (let i = 0, at = 0; i < image.grey.length; i++, at += 4) {
    bitmap.data[at] = bitmap.data[at + 1] = bitmap.data[at + 2] = shades[image.grey[i]];
    bitmap.data[at + 3] = 255;
  }
  pen.putImageData(bitmap, 0, 0);
  part("level-value").textContent = level;
  part("width-value").textContent = width;
}

function drawHeatmap() {
  const canvas = part("heatmap");
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  part("opacity-value").textContent = `${number("opacity")} %`;
  const finding = answer && answer.findings[chosen];
  part("about").hidden = !finding;
  part("caption").innerHTML = finding ? finding.caption : answer ? answer.plain : "";
  part("boxes").innerHTML = "";
  if (!finding) return;
  pen.globalAlpha = number("opacity") / 100;
  pen.imageSmoothingQuality = "high";
  pen.drawImage(glow(finding.map), 0, 0, canvas.width, canvas.height);
  if (!part("draw-boxes").checked) return;
  part("boxes").innerHTML = finding.boxes.flatMap(([x, y, w, h]) => ["under", "over"].map(
    (kind) => `<rect class="${kind}" x="${x}" y="${y}" width="${w}" height="${h}"/>`)).join("");
}

// The map as a small image, one pixel a cell; enlarging it smooths it.
function glow(map) {
  const heights = Uint8Array.from(atob(map), (letter) => letter.charCodeAt(0));
  const small = document.createElement("canvas");
  [small.width, small.height] = [answer.columns, answer.rows];
  const bitmap = new ImageData(answer.columns, answer.rows);
  heights.forEach((height, i) => bitmap.data.set([...GLOW, height], 4 * i));
  small.getContext("2d").putImageData(bitmap, 0, 0);
  return small;
}

function place() {
  const { clientWidth, clientHeight } = part("viewport");
  const within = (at, side) => Math.min(0, Math.max(side * (1 - view.scale), at));
  view.x = within(view.x, clientWidth);
  view.y = within(view.y, clientHeight);
  part("stage").style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  part("viewport").classList.toggle("zoomed", view.scale > 1);
  part("zoom_out").disabled = part("whole").disabled = view.scale === 1;
  part("zoom_in").disabled = view.scale === LARGEST;
}

// Zooms so that a point of the viewport, its middle if none is given, stays where it is.
function zoom(by, x = part("viewport").clientWidth / 2, y = part("viewport").clientHeight / 2) {
  const scale = Math.min(LARGEST, Math.max(1, view.scale * by));
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  place();
}

function whole() {
  view = { scale: 1, x: 0, y: 0 };
  place();
}

function invert(on = !inverted) {
  inverted = on;
  part("invert").setAttribute("aria-pressed", on);
  drawImage();
}

function reset() {
  part("level").value = 128;
  part("width").value = 255;
  invert(false);
  whole();
}

const imageAgain = once(drawImage);
const heatmapAgain = once(drawHeatmap);
for (const name of ["level", "width"]) part(name).addEventListener("input", imageAgain);
for (const name of ["opacity", "draw-boxes"]) part(name).addEventListener("input", heatmapAgain);
part("zoom_in").addEventListener("click", () => zoom(1.5));
part("zoom_out").addEventListener("click", () => zoom(1 / 1.5));
part("whole").addEventListener("click", whole);
part("invert").addEventListener("click", () => invert());
part("reset").addEventListener("click", reset);
part("fullscreen").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else element.querySelector(".viewer").requestFullscreen?.();
});

const viewport = part("viewport");
viewport.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = 40;
  const keys = {
    "+": () => zoom(1.5),
    "=": () => zoom(1.5),
    "-": () => zoom(1 / 1.5),
    0: whole,
    i: () => invert(),
    ArrowLeft: () => { view.x += step; place(); },
    ArrowRight: () => { view.x -= step; place(); },
    ArrowUp: () => { view.y += step; place(); },
    ArrowDown: () => { view.y -= step; place(); },
  };
  const does = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  // Arrows go on scrolling the page while all of the image is in view.
  if (!does || (event.key.startsWith("Arrow") && view.scale === 1)) return;
  event.preventDefault();
  does();
});
viewport.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const frame = viewport.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY / 200), event.clientX - frame.left, event.clientY - frame.top);
}, { passive: false });

const fingers = new Map(); // {pointer: [x, y]}
viewport.addEventListener("pointerdown", (event) => {
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  if (view.scale > 1 || fingers.size > 1) viewport.setPointerCapture(event.pointerId);
});
viewport.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const now = [event.clientX, event.clientY];
  const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
  fingers.set(event.pointerId, now);
  view.x += (now[0] - before[0]) / fingers.size;
  view.y += (now[1] - before[1]) / fingers.size;
  if (other) {
    const apart = ([x, y]) => Math.max(1, Math.hypot(x - other[0], y - other[1]));
    const frame = viewport.getBoundingClientRect();
    zoom(apart(now) / apart(before), (now[0] + other[0]) / 2 - frame.left,
      (now[1] + other[1]) / 2 - frame.top);
  } else place();
});
for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
  viewport.addEventListener(end, (event) => fingers.delete(event.pointerId));
}

page.addEventListener("cxr-chosen", (event) => {
  if (!element.isConnected) return;
  chosen = event.detail;
  drawHeatmap();
});
new ResizeObserver(place).observe(viewport);
watch("value", show);
show();
