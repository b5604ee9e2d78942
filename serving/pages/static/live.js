"use strict";
// Shows the page anew as things happen: fetched from the server, so that there is one place that draws it. What has not
// changed stays as it is, and with it focus, selection and scroll position.
(() => {
  const address = document.currentScript.dataset.events;
  let due = false, busy = false;
  const texts = (node) => [...node.childNodes].some((each) => each.nodeType === Node.TEXT_NODE && each.data.trim());
  const into = (shown, fresh) => {
    if (texts(shown) || texts(fresh) || !fresh.children.length) { shown.replaceChildren(...fresh.childNodes); return; }
    const old = [...shown.children], now = [...fresh.children];
    now.forEach((each, i) => {
      if (!old[i]) shown.append(each);
      else if (old[i].isEqualNode(each)) return;
      else if (old[i].cloneNode(false).isEqualNode(each.cloneNode(false))) into(old[i], each);
      else old[i].replaceWith(each);
    });
    old.slice(now.length).forEach((each) => each.remove());
  };
  const redraw = (fresh) => {
    const shown = document.querySelector("main"), held = document.activeElement;
    const link = shown.contains(held) && held.getAttribute("href");
    into(shown, fresh);
    if (link && !held.isConnected) shown.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
  };
  const renew = async () => {
    if (busy || document.hidden) { due = true; return; }
    busy = true; due = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected) { location.assign(answer.url); return; }
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      if (fresh) redraw(fresh);
    } catch { due = true; } finally { busy = false; if (due && !document.hidden) setTimeout(renew, 1000); }
  };
  document.addEventListener("visibilitychange", () => { if (due) renew(); });
  if (!address) { setInterval(renew, 5000); return; }
  const events = new EventSource(address);
  let timer = null;
  const told = () => {
    if (timer) return;
    timer = setTimeout(() => { timer = null; renew(); }, 300);
  };
  for (const kind of ["state", "step", "cell", "label", "pick"]) events.addEventListener(kind, told);
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
