"use strict";
// Looking over the LLM's picks: keep or strike out, by key or button. What was decided last stands, until the run reads it.
(() => {
  const { $, run, look, outbox, person, linked, trouble, tell, key } = window.thresher;
  let picks = [], at = -1, busy = false, waiting = null, sending = Promise.resolve();
  const page = `/runs/${encodeURIComponent(run)}`;

  const taken = (left, sent, problem) => { if (problem) tell("notice", `${problem.detail}. ${problem.hint}`); };

  const load = async () => {
    clearTimeout(waiting);
    busy = true;
    try {
      await sending;
      await outbox.flush(taken);
      const found = [];
      for (let after = ""; after !== null;) {
        const part = await look(`/picks?limit=500${after && `&after=${encodeURIComponent(after)}`}`);
        found.push(...part.items); after = part.next;
      }
      picks = found;
      const next = picks.findIndex((pick) => pick.kept === null);
      if (next >= 0) show(next); else await nothing();
    } catch (error) { idle(trouble(error), [401, 403].includes(error.status) ? 0 : 4000); } finally { busy = false; }
  };

  const show = (index) => {
    at = index;
    const pick = picks[at], done = picks.filter((each) => each.kept !== null).length;
    $("struck").hidden = true; $("reason").value = pick.reason;
    $("text").textContent = pick.text;
    $("text-b").hidden = !pick.text_b; $("text-b").textContent = pick.text_b || "";
    $("why").hidden = !pick.why; $("why").textContent = pick.why && `The LLM chose it because: ${pick.why}`;
    tell("decided", pick.kept === null ? "" : `${pick.who || "Somebody"} said: ${pick.kept ? "keep" : `strike out${pick.reason && `, ${pick.reason}`}`}.`);
    $("keep").setAttribute("aria-pressed", String(pick.kept === true));
    $("strike").setAttribute("aria-pressed", String(pick.kept === false));
    $("progress").max = picks.length; $("progress").value = done;
    tell("state", `${done} of ${picks.length} picks decided in round ${pick.round + 1}; this is number ${at + 1}`);
    enable(true);
    window.scrollTo(0, 0);
    $("item-heading").blur();
    $("item-heading").focus({ preventScroll: true });
  };
  const enable = (on) => {
    for (const button of $("bar").querySelectorAll("button")) button.disabled = !on && button.id !== "undo";
    $("undo").disabled = on ? at < 1 : !picks.length;
  };

  // What happens now that no pick is left to decide.
  const nothing = async () => {
    const found = await look("");
    if (found.state === "waiting" && found.asked && found.asked.kind === "labels") idle(linked("The picks are looked over. Those that were kept wait for labels.", `${page}/review`, "Label them"));
    else if (["done", "failed", "cancelled"].includes(found.state)) idle(linked(`The run is ${found.state}.`, page, "See the run"), 0);
    else idle(picks.length ? "All picks are decided, and the run goes on. The next ones come here by themselves." : "There are no picks to look over. They come here by themselves.");
  };
  const idle = (text, again = 4000) => {
    at = picks.length; enable(false);
    $("progress").value = $("progress").max;
    if ($("state").textContent !== (text.textContent ?? text)) tell("state", text);
    tell("decided", ""); $("text").textContent = $("text-b").textContent = $("why").textContent = ""; $("struck").hidden = $("text-b").hidden = $("why").hidden = true;
    if (again) waiting = setTimeout(load, again);
  };

  // The next pick is there already: it is shown while the last decision is sent. Only when none is left the server is asked.
  const decide = (keep, reason = "") => {
    const pick = picks[at];
    if (busy || !pick) return;
    outbox.put(`/picks/${encodeURIComponent(pick.example)}`, { keep, reason, who: person.who });
    Object.assign(pick, { kept: keep, reason, who: person.who });
    tell("notice", "");
    const next = picks.findIndex((each) => each.kept === null);
    if (next < 0) { enable(false); load(); return; }
    show(next);
    sending = sending.then(() => outbox.flush(taken)).catch((error) => tell("notice", trouble(error)));
  };

  const actions = {
    keep: () => decide(true),
    strike: () => { if (picks[at]) { $("struck").hidden = false; $("reason").focus(); } },
    back: () => { $("struck").hidden = true; $("item-heading").focus(); },
    undo: () => { clearTimeout(waiting); if (!busy && at > 0) show(at - 1); },
    rest: async () => {
      if (busy) return;
      outbox.put("/picks", { keep: true, who: person.who });
      await load();
    },
  };
  $("bar").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && actions[button.id]) actions[button.id]();
  });
  $("struck").addEventListener("submit", (event) => { event.preventDefault(); decide(false, $("reason").value.trim()); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { actions.back(); return; }
    const found = key(event), button = found && [...$("bar").querySelectorAll("button")].find((each) => each.dataset.key === found);
    if (!button || button.disabled) return;
    event.preventDefault();
    actions[button.id]();
  });
  window.addEventListener("online", () => { if (!busy) load(); });
  person.known(load);
})();
