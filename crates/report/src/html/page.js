// Sorting of tables, a filter by class, and the values behind a chart under the pointer or the arrow keys.
// Without it everything is there all the same. All words of the page reach it as text and leave it as text.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const SVG = "http://www.w3.org/2000/svg";

  // Numbers with their unit, so that 1 s is more than 900 ms.
  const UNITS = { "µs": 1e-3, ms: 1, s: 1e3, min: 6e4, h: 3.6e6, days: 8.64e7, k: 1e3, M: 1e6 };
  const amount = (text) => {
    const found = /^[^\d∞-]*(-?[\d,.]+)\s*(µs|ms|s|min|h|days|k|M)?(?![\w-])/.exec(text);
    return found ? Number(found[1].replaceAll(",", "")) * (UNITS[found[2]] || 1) : NaN;
  };
  // What is missing comes last, whatever the order.
  const compare = (a, b, sign) => {
    const [x, y] = [amount(a), amount(b)];
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return sign * (Number.isNaN(x) ? a.localeCompare(b, "en") : x - y);
  };
  for (const table of all("table.sortable")) {
    const heads = all("thead tr:last-child > *", table);
    heads.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const text = (row) => row.cells[column].textContent.trim();
        const rows = [...body.rows].sort((a, b) => compare(text(a), text(b), down ? -1 : 1));
        body.append(...rows);
      });
    });
  }

  // One class, all requests together, or everything.
  const filter = document.getElementById("filter");
  const named = all("[data-class], [data-of]").map(({ dataset }) => dataset.class || dataset.of);
  const classes = [...new Set(named)].sort();
  let chosen = "*";
  const shows = (name) => chosen === "*" || name === chosen;
  if (classes.length) {
    const select = filter.querySelector("select");
    for (const name of classes) select.add(new Option(name, `=${name}`));
    filter.hidden = false;
    select.addEventListener("change", () => {
      chosen = select.value === "*" ? "*" : select.value.slice(1);
      for (const group of all("[data-class], .classed .s")) {
        group.classList.toggle("off", !shows(group.dataset.class || ""));
      }
      for (const part of all("section[data-of]")) part.hidden = !shows(part.dataset.of);
    });
  }

  // Lines of CSV as fields.
  const parse = (text) => text.trimEnd().split("\n").map((line) => {
    const fields = [];
    for (const found of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
      fields.push(found[1] === undefined ? found[2] : found[1].replaceAll('""', '"'));
    }
    return fields;
  });
  const tip = document.getElementById("tip");
  const said = document.getElementById("said");
  const short = (text) => {
    const number = Number(text);
    return text === "" || Number.isNaN(number) ? text : String(Number(number.toPrecision(4)));
  };
  const words = (head, row) => {
    const of = (name) => row[head.indexOf(name)] || "";
    const lines = [[of("series"), of("class"), of("label")].filter(Boolean).join(", ")];
    head.forEach((name, i) => {
      const bound = / (low|high)$/.test(name) && head.includes(name.replace(/ (low|high)$/, ""));
      if (["series", "class", "mark", "label", "censored"].includes(name) || bound) return;
      const [low, high] = [of(`${name} low`), of(`${name} high`)];
      const value = short(row[i]);
      const open = (bound, side) => (bound === "" ? side : short(bound));
      const range = low || high ? ` [${open(low, "open")}, ${open(high, "open")}]` : "";
      if (value || range) lines.push(`${name}: ${value}${range}`);
    });
    if (of("censored")) lines.push("known only to lie within");
    return lines.join("\n");
  };

  for (const figure of all("figure.chart-of")) {
    const plot = figure.querySelector(".plot");
    let data = null;
    let current = -1;
    const load = () => {
      if (data) return data;
      const csv = figure.querySelector("a[download]").href;
      const [head, ...rows] = parse(decodeURIComponent(csv.slice(csv.indexOf(",") + 1)));
      const column = head.indexOf("class");
      const places = new Map(all("svg.chart", plot).map((svg) => {
        const numbers = svg.dataset.places.split(" ").map(Number);
        return [svg, rows.map((_, i) => ({ x: numbers[2 * i], y: numbers[2 * i + 1] }))];
      }));
      data = { head, rows, places, of: (i) => (column < 0 ? "" : rows[i][column]) };
      return data;
    };
    const visible = () => all("svg.chart", plot).find((svg) => svg.getClientRects().length);
    const hide = () => {
      current = -1;
      tip.textContent = "";
      for (const cursor of all(".cursor", plot)) cursor.remove();
    };
    const show = (svg, i) => {
      const { head, rows, places } = load();
      const place = places.get(svg)[i];
      for (const cursor of all(".cursor", plot)) cursor.remove();
      const cursor = document.createElementNS(SVG, "circle");
      cursor.setAttribute("class", "cursor");
      cursor.setAttribute("r", 7);
      cursor.setAttribute("cx", place.x);
      cursor.setAttribute("cy", place.y);
      svg.append(cursor);
      current = i;
      tip.textContent = words(head, rows[i]);
      const box = cursor.getBoundingClientRect();
      const own = tip.getBoundingClientRect();
      const left = box.right + 8 + own.width < innerWidth ? box.right + 8 : box.left - 8 - own.width;
      tip.style.left = `${Math.max(4, left)}px`;
      tip.style.top = `${Math.max(4, Math.min(box.top - 8, innerHeight - own.height - 4))}px`;
    };
    plot.addEventListener("pointermove", (event) => {
      const svg = visible();
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
      const { places, of } = load();
      let best = -1;
      let least = 40 * 40;
      places.get(svg).forEach((place, i) => {
        const far = (place.x - x) ** 2 + (place.y - y) ** 2;
        if (far < least && shows(of(i))) [best, least] = [i, far];
      });
      if (best < 0) hide();
      else if (best !== current) show(svg, best);
    });
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -1e9, End: 1e9 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      const svg = visible();
      const { places, of } = load();
      const stops = places.get(svg).flatMap((place, i) => (Number.isNaN(place.x) || !shows(of(i)) ? [] : [i]));
      if (!stops.length) return;
      const from = stops.indexOf(current);
      const to = Math.min(stops.length - 1, Math.max(0, from < 0 ? (step > 1 ? 1e9 : 0) : from + step));
      show(svg, stops[to]);
      said.textContent = tip.textContent;
    });
  }

  addEventListener("beforeprint", () => all("details").forEach((part) => { part.open = true; }));
})();
