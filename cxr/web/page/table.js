// One threshold for all findings: rows with lower scores are left out.

const [slider, exact] = element.querySelectorAll("#threshold input");

function filter() {
  const least = Number(exact.value);
  const rows = [...element.querySelectorAll("tbody tr")];
  for (const row of rows) row.hidden = Number(row.dataset.score) < least;
  const listed = rows.filter((row) => !row.hidden).length;
  element.querySelector("table").hidden = !listed;
  element.querySelector(".none").hidden = listed > 0 || !rows.length;
  element.querySelector('[data-part="listed"]').innerHTML = element
    .querySelector("template").innerHTML.replaceAll("{listed}", listed).replaceAll("{all}", rows.length);
}

slider.addEventListener("input", () => { exact.value = slider.value; filter(); });
exact.addEventListener("input", () => { slider.value = exact.value; filter(); });
watch("value", filter);
filter();
