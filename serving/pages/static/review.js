"use strict";
// Labelling: one text at a time, by key or button. An answer that cannot be sent is kept in the browser and sent later;
// the server takes each token once, so that sending it again does no harm.
(() => {
  const $ = (id) => document.getElementById(id);
  const desk = $("desk"), run = desk.dataset.run;
  const api = `/v1/runs/${encodeURIComponent(run)}`;
  const unsent = `thresher/${run}/unsent`;
  let who = desk.dataset.named, item = null, since = 0, busy = false, waiting = null;

  const say = (text) => { $("state").textContent = text; };
  const send = (path, body) => fetch(api + path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const kept = () => JSON.parse(localStorage.getItem(unsent) || "[]");
  const keep = (list) => list.length ? localStorage.setItem(unsent, JSON.stringify(list)) : localStorage.removeItem(unsent);

  const flush = async () => {
    for (const answer of kept()) {
      const reply = await send("/labels", answer);
      if (reply.status >= 500 || reply.status === 429) throw new Error("later");
      keep(kept().filter((other) => other.token !== answer.token));
      if (!reply.ok) {
        const problem = await reply.json();
        say(`${problem.detail} ${problem.hint}`);
        await new Promise((go) => setTimeout(go, 2500));
      }
    }
  };

  const show = (next) => {
    item = next; since = performance.now();
    $("text").textContent = item.text;
    $("text-b").hidden = !item.text_b; $("text-b").textContent = item.text_b || "";
    const tip = item.suggestion;
    $("suggestion").hidden = !tip;
    if (tip) {
      const sure = tip.confidence === null ? "" : `, ${Math.round(100 * tip.confidence)} % sure`;
      $("suggestion").textContent = `The machine says ${tip.label}${sure}.${tip.reason ? ` ${tip.reason}` : ""}`;
    }
    const chosen = item.chosen && item.chosen.label;
    for (const button of document.querySelectorAll("[data-label]")) {
      button.setAttribute("aria-pressed", String(button.dataset.label === chosen));
    }
    enable(true);
    $("item-heading").focus({ preventScroll: true });
  };

  const enable = (on) => { for (const button of desk.querySelectorAll("button")) button.disabled = !on && button.id !== "undo"; };

  const progress = async () => {
    const reply = await fetch(`${api}/review?who=${encodeURIComponent(who)}`);
    if (!reply.ok) return;
    const found = await reply.json();
    $("progress").max = found.total || 1; $("progress").value = found.done;
    const pace = found.seconds_per_label ? `, ${found.seconds_per_label.toFixed(1)} s a text` : "";
    say(`${found.done} of ${found.total} labels in round ${found.round}; ${found.mine} by you${pace}`);
  };

  const next = async () => {
    clearTimeout(waiting);
    busy = true;
    try {
      await flush();
      const reply = await send("/review", { who });
      if (reply.status === 200) { show(await reply.json()); progress().catch(() => {}); }
      else if (reply.status === 204) { idle("Nothing is to be labelled now. This page looks again by itself."); }
      else { const problem = await reply.json(); idle(`${problem.detail} ${problem.hint}`); }
    } catch {
      idle("The service cannot be reached. Your answers are kept here and sent when it is back.");
    } finally { busy = false; }
  };

  const idle = (text) => {
    item = null; enable(false); say(text);
    $("text").textContent = ""; $("text-b").hidden = $("suggestion").hidden = true;
    waiting = setTimeout(next, 4000);
  };

  const answer = async (choice) => {
    if (!item || busy) return;
    busy = true; enable(false);
    keep([...kept(), { token: item.token, seconds: Math.min((performance.now() - since) / 1000, 86400), ...choice }]);
    item = null;
    await next();
  };

  const skip = async () => {
    if (!item || busy) return;
    busy = true;
    try { await send(`/review/${encodeURIComponent(item.token)}/skip`, {}); } catch { /* it comes back when its time is over */ }
    await next();
  };

  const undo = async () => {
    if (busy) return;
    busy = true;
    try {
      await flush();
      const reply = await send("/review/undo", { who });
      if (reply.status === 200) { clearTimeout(waiting); show(await reply.json()); say("Give this text another label."); }
      else say("There is nothing of yours to change.");
    } catch { say("The service cannot be reached."); } finally { busy = false; }
  };

  const begin = () => { $("who").hidden = true; desk.hidden = false; next(); };

  desk.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.label) answer({ label: button.dataset.label });
    else if (button.dataset.verdict) answer({ verdict: button.dataset.verdict });
    else if (button.id === "skip") skip();
    else if (button.id === "undo") undo();
  });
  document.addEventListener("keydown", (event) => {
    if (desk.hidden || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (["INPUT", "TEXTAREA"].includes(event.target.tagName)) return;
    const labels = document.querySelectorAll("[data-label]");
    if (/^[1-9]$/.test(event.key) && labels[event.key - 1]) answer({ label: labels[event.key - 1].dataset.label });
    else if (event.key === "0") answer({ verdict: "undecided" });
    else if (event.key === "b") answer({ verdict: "bad_text" });
    else if (event.key === "s") skip();
    else if (event.key === "u") undo();
    else return;
    event.preventDefault();
  });
  $("who").addEventListener("submit", (event) => {
    event.preventDefault();
    who = $("name").value.trim();
    if (!who) return;
    localStorage.setItem("thresher/who", who);
    begin();
  });
  window.addEventListener("online", () => { if (!busy && !item) next(); });
  if (who) begin();
  else { $("name").value = localStorage.getItem("thresher/who") || ""; $("who").hidden = false; $("name").focus(); }
})();
