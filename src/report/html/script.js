"use strict";
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const findings = [...document.querySelectorAll(".finding")];
  const texts = new Map();
  const text = (finding) => {
    if (!texts.has(finding)) texts.set(finding, finding.textContent.toLowerCase());
    return texts.get(finding);
  };
  const shown = document.getElementById("shown");
  const none = document.getElementById("none");
  const apply = () => {
    const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    // Filters that would choose nothing are not on the page.
    const boxes = [...form.querySelectorAll("[name=s]")];
    const severities = boxes.length && new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const state = form.t ? form.t.value : "";
    let count = 0;
    for (const finding of findings) {
      const { s, t, c, g, x } = finding.dataset;
      const keep = (!severities || severities.has(s)) && (!state || state === t) && (!form.c.value || form.c.value === c)
        && (!form.g.checked || g !== undefined) && (!form.x || form.x.checked || x === undefined)
        && words.every((word) => text(finding).includes(word));
      if (finding.hidden === keep) finding.hidden = !keep;
      if (keep) count += 1;
    }
    const [part, all] = [count, findings.length].map((number) => number.toLocaleString("en"));
    shown.textContent = part === all ? all : `${part} of ${all}`;
    none.hidden = count > 0;
  };
  const open = () => {
    const finding = location.hash.startsWith("#f") && document.getElementById(location.hash.slice(1));
    if (finding && finding.matches("details")) {
      finding.hidden = false;
      finding.open = true;
      finding.scrollIntoView();
      finding.querySelector("summary").focus();
    }
  };
  let timer;
  form.addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(apply, event.target.name === "q" ? 150 : 0);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("reset").addEventListener("click", () => { form.reset(); if (form.x) form.x.checked = true; apply(); form.q.focus(); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
    if (event.key === "/") {
      event.preventDefault();
      form.q.focus();
    } else if (event.key === "j" || event.key === "k") {
      const step = event.key === "j" ? 1 : -1;
      let at = findings.indexOf(document.activeElement.closest(".finding"));
      if (at < 0 && step < 0) return;
      do at += step; while (findings[at] && findings[at].hidden);
      if (findings[at]) findings[at].querySelector("summary").focus();
    }
  });
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = findings.filter((finding) => !finding.open);
    for (const finding of closed) finding.open = true;
  });
  window.addEventListener("afterprint", () => { for (const finding of closed) finding.open = false; });
  window.addEventListener("hashchange", open);
  form.hidden = false;
  document.getElementById("keys").hidden = false;
  apply();
  open();
})();
