"use strict";
// Shows the page anew as things happen: fetched from the server, so that there is one place that draws it.
(() => {
  const address = document.currentScript.dataset.events;
  let due = false, busy = false;
  const renew = async () => {
    if (busy || document.hidden) { due = true; return; }
    busy = true; due = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
        const shown = document.querySelector("main");
        if (fresh && fresh.innerHTML !== shown.innerHTML && !shown.contains(document.activeElement)) {
          shown.replaceChildren(...fresh.childNodes);
        } else if (shown.contains(document.activeElement)) { due = true; }
      }
    } catch { due = true; } finally { busy = false; }
  };
  document.addEventListener("visibilitychange", () => { if (due) renew(); });
  document.addEventListener("focusout", () => { if (due) setTimeout(renew, 50); });
  if (!address) { setInterval(renew, 5000); return; }
  const events = new EventSource(address);
  let timer = null, first = true;
  const told = () => {
    if (timer) return;
    timer = setTimeout(() => { timer = null; if (!first) renew(); first = false; }, 300);
  };
  for (const kind of ["state", "step", "cell"]) events.addEventListener(kind, told);
  events.addEventListener("progress", (event) => {
    const bar = document.getElementById("progress");
    if (!bar) { told(); return; }
    const said = JSON.parse(event.data), minutes = Math.round(said.left / 60);
    bar.value = said.share;
    document.getElementById("doing").textContent = said.doing;
    document.getElementById("left").textContent = minutes >= 1 ? `about ${minutes} min left` : "less than a minute left";
  });
  events.onerror = () => { if (document.querySelector(".state.done, .state.failed, .state.cancelled")) events.close(); };
})();
