// Opens pages in a headless browser and says what is wrong with them.
//
// node check.mjs MODULES BROWSER SCREENSHOTS PAGE...
//
// Every page: no message on the console, nothing asked of a network, no foreign script ran, the policy holds, axe
// finds nothing, charts have their marks inside the picture, tables sort, arrow keys read values, text fits a
// phone. `gallery.html` is made by crates/report/tests/gallery.rs; its values are known here.
import { createRequire } from "node:module";
import { readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, executablePath, pictures, ...pages] = process.argv.slice(2);
const need = createRequire(join(modules, "node_modules", "none.js"));
const { chromium } = need("playwright-core");
const axe = readFileSync(need.resolve("axe-core/axe.min.js"), "utf8");

let passed = 0;
const wrong = [];
const check = (is, what) => {
  if (is) passed += 1;
  else wrong.push(what);
};
const equal = (found, expect, what) => {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expect)];
  check(a === b, `${what}: found ${a}, expected ${b}`);
};

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

/** Opens a page and gathers whatever it complains about or asks for. */
async function open(file, options) {
  const context = await browser.newContext({ acceptDownloads: true, ...options });
  const page = await context.newPage();
  const heard = [];
  page.on("console", (message) => heard.push(message.text()));
  page.on("pageerror", (error) => heard.push(String(error)));
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) heard.push(`asked for ${request.url()}`);
  });
  const began = performance.now();
  await page.goto(pathToFileURL(file).href, { waitUntil: "load" });
  return { page, heard, took: performance.now() - began, context };
}

/** What axe says, rule and place. axe is put in past the page's policy. */
async function accessibility(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target} ${n.failureSummary}`));
}

/** Charts whose marks are missing, or outside of their picture. */
const drawn = (page) => page.evaluate(() => {
  const bad = [];
  for (const svg of document.querySelectorAll("svg.chart")) {
    if (!svg.getClientRects().length) continue;
    const name = svg.closest("figure").id;
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const marks = svg.querySelectorAll(".s path, .s rect");
    if (marks.length === 0) bad.push(`${name}: no marks`);
    for (const text of svg.querySelectorAll("text")) {
      const box = text.getBBox();
      if (box.x < -1 || box.x + box.width > width + 1 || box.y < -1 || box.y + box.height > height + 1) {
        bad.push(`${name}: text leaves the picture: ${text.textContent}`);
      }
    }
    const places = svg.dataset.places.split(" ").map(Number).filter((n) => !Number.isNaN(n));
    if (places.some((n) => n < -1 || n > Math.max(width, height))) bad.push(`${name}: a place is outside`);
  }
  return bad;
});

/** Sorts the first column of figures and says how its values then stand. */
async function sorts(page, file) {
  const table = page.locator("table.sortable").first();
  if (await table.count() === 0) return;
  const button = table.locator("th button").last();
  await button.click();
  const head = table.locator("th[aria-sort]");
  equal(await head.getAttribute("aria-sort"), "ascending", `${file}: sorted`);
  await button.focus();
  await page.keyboard.press("Enter");
  equal(await head.getAttribute("aria-sort"), "descending", `${file}: sorted by keyboard`);
}

/** Goes to the first chart with the keyboard alone and reads a value. */
async function reads(page, file) {
  const plot = page.locator(".plot").first();
  if (await plot.count() === 0) return;
  await plot.focus();
  await page.keyboard.press("ArrowRight");
  const said = await page.locator("#said").textContent();
  check(/\d/.test(said), `${file}: arrow keys read no value: ${said}`);
  check((await page.locator("#tip").textContent()) === said, `${file}: shown and said differ`);
  await page.keyboard.press("Escape");
  equal(await page.locator("#tip").textContent(), "", `${file}: Escape hides the value`);
}

/** The page of known values. */
async function gallery(page) {
  const of = (slug, part) => page.locator(`#chart-${slug} .wide ${part}`);
  equal(await of("curve", ".s .dot").count(), 4 + 4 + 2, "dots of the curve");
  equal(await of("curve", ".s .whisker").count(), 4, "intervals of the curve");
  equal(await of("curve", ".open").count(), 1, "open intervals of the curve");
  equal(await of("heat-map", ".s rect").count(), 11, "fields of the heat map");
  equal(await of("timeline", ".unsure").count(), 1, "censored ends of the timeline");
  equal(await of("ttft-over-time", ".stall").count(), 1, "stalls");
  check((await of("curve", "desc").textContent()).includes("TTFT p99: 4 marks from 41.0 ms to 900 ms."), "description");

  // Marks stand where the scale puts them: equal ratios are equally far apart.
  const places = (await of("curve", "svg").getAttribute("data-places")).split(" ").map(Number);
  const [p99, p50] = [places[1], places[9]];
  const [far, near] = [places[7], places[15]];
  check(Math.abs((p50 - p99) - (near - far)) <= 1, `half is not equally far: ${places}`);

  // Known values under the pointer.
  await of("curve", "svg").scrollIntoViewIfNeeded();
  const box = await of("curve", "svg").boundingBox();
  const scale = box.width / 860;
  await page.mouse.move(box.x + places[0] * scale, box.y + places[1] * scale);
  const tip = await page.locator("#tip").textContent();
  for (const words of ["TTFT p99, ✓", "load asked (requests/s): 2", "TTFT (ms): 41 [38, 45]", "n: 3"]) {
    check(tip.includes(words), `the value under the pointer lacks ${words}: ${tip}`);
  }
  await page.mouse.move(0, 0);

  // The data behind a chart.
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.locator("#chart-curve a[download]").click(),
  ]);
  equal(download.suggestedFilename(), "curve.csv", "name of the data");
  const csv = readFileSync(await download.path(), "utf8").split("\n");
  equal(csv[0], "series,mark,load asked (requests/s),TTFT (ms),TTFT (ms) low,TTFT (ms) high,n,label", "head of the data");
  equal(csv[1], "TTFT p99,point,2,41,38,45,3,✓", "first row of the data");
  equal(csv.length, 1 + 8 + 1, "rows of the data");

  // Sorting knows units and what is missing.
  const column = (i) => page.locator(`table.sortable tbody tr > :nth-child(${i})`).allInnerTexts();
  await page.locator("th button", { hasText: "p50" }).click();
  equal(await column(2), ["45 µs", "900 ms", "1.10 s", "-"], "ascending times");
  await page.locator("th button", { hasText: "p50" }).click();
  equal(await column(2), ["1.10 s", "900 ms", "45 µs", "-"], "descending times");

  // The filter hides what is of another class, in the key and in the chart.
  const lines = page.locator("#chart-ttft-over-time .wide .s:not(.off) path.line");
  equal(await lines.count(), 6, "lines of every class, and their keys");
  const sections = page.locator("section[data-of]:visible");
  equal(await sections.count(), 2, "sections of every class");
  await page.selectOption("#filter select", { label: "chat" });
  equal(await lines.count(), 2, "lines of one class");
  equal(await sections.count(), 1, "sections of one class");
  await page.selectOption("#filter select", { label: "all requests together" });
  equal(await lines.count(), 2, "lines of all requests together");
  equal(await sections.count(), 0, "sections of classes, where all requests are together");
  await page.selectOption("#filter select", { label: "everything" });
  equal(await lines.count(), 6, "lines of every class again");

  // Names that would do harm if they could.
  check(!(await page.title()).startsWith("owned"), "a name ran as a script");
  check((await page.title()).includes("<script>"), "a name lost its letters");
  equal(await page.locator("img").count(), 0, "images");
  equal(await page.evaluate(() => document.scripts.length), 1, "scripts");
  const text = await page.evaluate(() => document.documentElement.outerHTML);
  check(!/[\u001b\u202e]/.test(text), "an escape or an override of direction is in the page");

  // The policy: neither a script nor a style that is put in later runs.
  const held = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "document.title = 'owned'";
    document.body.append(script);
    const style = document.createElement("style");
    style.textContent = "body { display: none }";
    document.body.append(style);
    document.body.setAttribute("style", "opacity: 0.5");
    document.body.insertAdjacentHTML("beforeend", "<button onclick=\"document.title='owned'\">x</button>");
    document.body.lastElementChild.click();
    const { display, opacity } = getComputedStyle(document.body);
    return [document.title.startsWith("owned"), display, opacity];
  });
  equal(held, [false, "block", "1"], "the policy");
}

for (const file of pages) {
  const name = basename(file, ".html");
  check(statSync(file).size < 1_500_000, `${name}: ${statSync(file).size} bytes`);
  for (const colorScheme of ["light", "dark"]) {
    const { page, heard, took, context } = await open(file, { colorScheme, viewport: { width: 1280, height: 900 } });
    check(took < 2_000, `${name}: opens in ${took.toFixed(0)} ms`);
    equal(await drawn(page), [], `${name}: charts`);
    await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
    await page.screenshot({ path: join(pictures, `${name}-${colorScheme}.png`), fullPage: true });
    equal(await accessibility(page), [], `${name}, ${colorScheme}: accessibility`);
    if (colorScheme === "light") {
      console.log(`${name}: ${statSync(file).size} bytes, opened in ${took.toFixed(0)} ms`);
      await reads(page, name);
      await sorts(page, name);
      equal(heard, [], `${name}: console and network`);
      if (name === "gallery") await gallery(page);
    }
    await context.close();
  }
  const phone = await open(file, { viewport: { width: 390, height: 844 } });
  equal(await drawn(phone.page), [], `${name}: charts on a phone`);
  const wide = await phone.page.evaluate(() => document.documentElement.scrollWidth);
  check(wide <= 390, `${name}: ${wide} pixels wide on a phone`);
  await phone.page.screenshot({ path: join(pictures, `${name}-phone.png`), fullPage: true });
  equal(await accessibility(phone.page), [], `${name}, phone: accessibility`);
  await phone.context.close();
}
await browser.close();
for (const line of wrong) console.log(`wrong: ${line}`);
console.log(`${passed} passed, ${wrong.length} failed`);
process.exit(wrong.length ? 1 : 0);
