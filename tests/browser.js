// Opens HTML reports in Chromium and says what does not hold of them. For each NAME.html in the folder there is NAME.json, the same report
// for programs. Needs playwright-core (NODE_PATH) and Chromium. Usage: node tests/browser.js FOLDER
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

const folder = process.argv[2];
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((one) => fs.existsSync(one));

const visible = (page) => page.locator(".finding:not([hidden])").count();
const shown = (page) => page.locator("#shown").textContent();
const number = (count) => count.toLocaleString("en");

/** Opens a report; afterwards `complaints` has all that a page should not have done. */
async function open(browser, name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  const url = pathToFileURL(path.join(folder, `${name}.html`)).href;
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => complaints.push(`dialog: ${dialog.message()}`));
  page.on("request", (request) => request.url() !== url && complaints.push(`request: ${request.url()}`));
  await page.goto(url, { waitUntil: "load" });
  const report = JSON.parse(fs.readFileSync(path.join(folder, `${name}.json`)));
  return { page, report, complaints, close: () => context.close() };
}

/** What holds of every report, on a desk, in the dark and on a phone, and without JavaScript. */
async function anyReport(browser, name) {
  for (const options of [{}, { colorScheme: "dark" }, { viewport: { width: 390, height: 800 } }, { javaScriptEnabled: false }]) {
    const { page, report, complaints, close } = await open(browser, name, options);
    assert.equal(await page.locator(".finding").count(), report.findings.length, "findings on the page");
    const width = await page.locator("html").evaluate((html) => [html.scrollWidth, html.clientWidth]);
    assert.ok(width[0] <= width[1], `scrolls sideways: ${width}`);
    if (options.javaScriptEnabled === false && report.findings.length > 0) {
      assert.equal(await page.locator("#filters").isVisible(), false, "filters that nothing answers");
      await page.locator(".finding summary").first().click();
      assert.ok(await page.locator(".finding dl").first().isVisible(), "details open without JavaScript");
    }
    assert.deepEqual(complaints, []);
    await close();
  }
}

async function filters(browser, name) {
  const { page, report, complaints, close } = await open(browser, name);
  const all = report.findings.filter((finding) => !finding.suppressed).length;
  assert.equal(await visible(page), all);
  assert.equal(await shown(page), number(all));

  const deleted = report.findings.filter((finding) => finding.visibility?.state === "deleted").length;
  assert.ok(deleted > 0 && deleted < all, `${deleted} of ${all} are deleted`);
  await page.selectOption("[name=t]", "deleted");
  await page.waitForFunction((count) => document.querySelectorAll(".finding:not([hidden])").length === count, deleted);
  assert.equal(await shown(page), `${number(deleted)} of ${number(all)}`);
  await page.selectOption("[name=t]", "");

  await page.keyboard.press("Escape");
  await page.locator("h1").click();
  await page.keyboard.press("/");
  await page.keyboard.type("no such thing anywhere");
  await page.locator("#none").waitFor({ state: "visible" });
  assert.equal(await visible(page), 0);
  await page.locator("#reset").click();
  assert.equal(await visible(page), all);
  assert.deepEqual(complaints, []);
  await close();
}

async function severities(browser) {
  const { page, report, close } = await open(browser, "example");
  const count = (severity) => report.findings.filter((finding) => finding.severity === severity).length;
  await page.uncheck("[name=s][value=critical]");
  await page.waitForFunction((left) => document.querySelectorAll(".finding:not([hidden])").length === left, report.findings.length - count("critical"));
  await close();
}

async function keyboard(browser) {
  const { page, close } = await open(browser, "example");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip", "the first stop skips to the findings");
  const focused = () => page.evaluate(() => document.activeElement.closest(".finding")?.id);
  for (const [key, id] of [["j", "f1"], ["j", "f2"], ["k", "f1"], ["k", "f1"]]) {
    await page.keyboard.press(key);
    assert.equal(await focused(), id, `after ${key}`);
  }
  await page.keyboard.press("Enter");
  assert.ok(await page.locator("#f1 dl").isVisible(), "Enter opens a finding");
  const outline = await page.locator("#f1 summary").evaluate((summary) => getComputedStyle(summary).outlineStyle);
  assert.notEqual(outline, "none", "the focus can be seen");
  await close();
}

async function linesOfTheDrawing(browser, name) {
  const { page, close } = await open(browser, name);
  const lines = page.locator(".lives a");
  assert.ok((await lines.count()) > 1);
  const href = await lines.last().getAttribute("href");
  await lines.last().focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction((href) => document.querySelector(href).open, href);
  assert.ok(await page.locator(`${href} dl`).isVisible());
  const top = await page.locator(`${href} summary`).evaluate((summary) => summary.getBoundingClientRect().top);
  const bar = await page.locator("#filters").evaluate((form) => form.getBoundingClientRect().bottom);
  assert.ok(top >= bar - 1, `the filters lie on the finding: ${top} < ${bar}`);
  await close();
}

async function hostileNamesStayText(browser) {
  const { page, report, close } = await open(browser, "hostile");
  assert.equal(await page.locator("main img, main script").count(), 0);
  assert.equal(await page.locator("body script").count(), 1);
  assert.notEqual(await page.title(), "run");
  const where = await page.locator(".where").first().textContent();
  assert.ok(where.startsWith(report.findings[0].place.path), where);
  await close();
}

async function emptyReport(browser) {
  const { page, close } = await open(browser, "empty");
  assert.match(await page.locator("h1").textContent(), /No secrets found/);
  assert.equal(await page.locator("form").count(), 0);
  await close();
}

async function printing(browser) {
  const { page, report, close } = await open(browser, "example");
  await page.emulateMedia({ media: "print" });
  await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
  assert.equal(await page.locator(".finding dl:visible").count(), report.findings.length, "all findings are open in print");
  assert.equal(await page.locator("#filters").isVisible(), false);
  await page.evaluate(() => window.dispatchEvent(new Event("afterprint")));
  assert.equal(await page.locator(".finding[open]").count(), 0);
  await close();
}

/** Every text has the contrast that WCAG AA asks for, in both colour schemes. */
async function contrast(browser) {
  for (const colorScheme of ["light", "dark"]) {
    const { page, close } = await open(browser, "example", { colorScheme });
    await page.evaluate(() => { document.querySelectorAll("details").forEach((finding) => { finding.open = true; }); });
    const poor = await page.evaluate(() => {
      const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
      const luminance = (rgb) => {
        const [r, g, b] = rgb.slice(0, 3).map((part) => part / 255).map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const colour = parse(getComputedStyle(at).backgroundColor);
          if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
      };
      const texts = [...document.querySelectorAll("body *:not(script):not(option)")].filter((element) =>
        [...element.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.textContent.trim()) && !(element instanceof SVGElement));
      return texts.flatMap((element) => {
        const [one, other] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => b - a);
        const ratio = (one + 0.05) / (other + 0.05);
        return ratio < 4.5 ? [`${ratio.toFixed(2)} ${element.className} ${element.textContent.slice(0, 30)}`] : [];
      });
    });
    assert.deepEqual(poor, [], colorScheme);
    await close();
  }
}

(async () => {
  assert.ok(executablePath, "Chromium is installed");
  const browser = await chromium.launch({ executablePath, args: flags });
  try {
    const checks = {
      "any report": async () => { for (const name of ["example", "many", "hostile", "empty"]) await anyReport(browser, name); },
      filters: async () => { for (const name of ["example", "many"]) await filters(browser, name); },
      severities: () => severities(browser),
      keyboard: () => keyboard(browser),
      "lines of the drawing": async () => { for (const name of ["example", "many"]) await linesOfTheDrawing(browser, name); },
      "hostile names stay text": () => hostileNamesStayText(browser),
      "an empty report": () => emptyReport(browser),
      printing: () => printing(browser),
      contrast: () => contrast(browser),
    };
    for (const [name, check] of Object.entries(checks)) {
      try {
        await check();
      } catch (error) {
        console.error(`${name}: ${error.stack}`);
        process.exitCode = 1;
      }
    }
  } finally {
    await browser.close();
  }
})();
