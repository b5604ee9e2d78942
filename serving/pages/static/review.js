"use strict";
// Labelling: one text at a time, by key or button. The server takes each token once.
(() => {
  const { $, run, post, asked, look, said, outbox, person, linked, trouble, tell, key } = window.thresher;
  let item = null, since = 0, busy = false, waiting = null;
  const choices = [...document.querySelectorAll("[data-label], [data-verdict]")];
  const named = (choice) => choice.label ?? { undecided: "cannot decide", bad_text: "bad text" }[choice.verdict];

  const taken = (receipt, sent, problem) => {
    if (problem) { tell("notice", `${problem.detail}. ${problem.hint}`); return; }
    const mine = sent.label ? { label: sent.label } : { verdict: sent.verdict };
    const same = named(receipt.choice) === named(mine);
    if (!same) tell("notice", `That text was answered before: “${named(receipt.choice)}” stands, not “${named(mine)}”. Press u to change it.`);
    tell("why", receipt.why && same ? `“${named(mine)}” is stored. That text was chosen because: ${receipt.why}` : "");
  };

  const show = (next) => {
    item = next; since = performance.now();
    $("text").textContent = item.text;
    $("text-b").hidden = !item.text_b; $("text-b").textContent = item.text_b || "";
    const tip = item.suggestion;
    $("suggestion").hidden = !tip; $("suggestion").textContent = "";  // a description is read even where it is hidden
    if (tip) {
      const sure = tip.confidence === null ? "" : `, ${Math.round(100 * tip.confidence)} % sure`;
      $("suggestion").textContent = `The machine says ${tip.label}${sure}.${tip.reason ? ` ${tip.reason}` : ""}`;
    }
    const chosen = item.chosen;
    for (const button of choices) {
      const pressed = chosen && (button.dataset.label ? button.dataset.label === chosen.label : button.dataset.verdict === chosen.verdict);
      button.setAttribute("aria-pressed", String(Boolean(pressed)));
    }
    enable(true);
    window.scrollTo(0, 0);
    $("item-heading").blur();  // focused again, it is read again, with the text that describes it
    $("item-heading").focus({ preventScroll: true });
  };

  const enable = (on) => { for (const button of $("bar").querySelectorAll("button")) button.disabled = !on && button.id !== "undo"; };

  const bar = ({ total, done }) => { $("progress").max = total || 1; $("progress").value = done; };

  const progress = async () => {
    const found = await look(`/review?who=${encodeURIComponent(person.who)}`);
    bar(found);
    const pace = found.seconds_per_label ? `, ${found.seconds_per_label.toFixed(1)} s a text` : "";
    tell("state", `${found.done} of ${found.total} labels in round ${found.round + 1}; ${found.mine} by you in all${pace}`);
  };

  const next = async () => {
    clearTimeout(waiting);
    busy = true;
    try {
      await outbox.flush(taken);
      const reply = await asked(post("/review", { who: person.who }));
      if (reply.status === 200) { show(await reply.json()); progress().catch(() => {}); }
      else if (reply.status === 204) await nothing();
      else { const problem = await said(reply); idle(`${problem.detail}. ${problem.hint}`); }
    } catch (error) { idle(trouble(error), [401, 403].includes(error.status) ? 0 : 4000); } finally { busy = false; }
  };

  // Why there is no text, and what happens now.
  const nothing = async () => {
    const found = await look(""), asked = await look("/review");
    if (asked.total) bar(asked);  // a problem where nothing was asked yet
    const page = `/runs/${encodeURIComponent(run)}`;
    if (found.state === "done") idle(linked("The run is done: thank you.", `${page}/report`, "Read its report"), 0);
    else if (found.state === "failed" || found.state === "cancelled") idle(linked(`The run is ${found.state}.`, page, "See the run"), 0);
    else if (found.asked && found.asked.kind === "picks") idle(linked("Nothing is to be labelled yet: experts look over the LLM's picks first.", `${page}/picks`, "Look over the picks"));
    else if (found.asked && found.state === "waiting") idle(missing(asked));
    else idle(`All labels that were asked for are in. ${found.progress ? `The run goes on: ${found.progress.doing}.` : "The student is trained on them."} The next texts come here by themselves.`);
  };

  // What is left of a round of which this person gets nothing: others look at it, or nobody yet who has not answered it.
  const missing = ({ total, done, held, round }) => {
    const left = total - done, free = left - held, more = held ? ` Others hold ${held} more; what they give back comes here by itself.` : "";
    if (free > 0) return `You have answered all that you can: ${free} of the ${total} answers of round ${round + 1} have to come from somebody else.${more}`;
    return `Others hold the last ${left} of ${total} texts of round ${round + 1}. What they give back comes here by itself.`;
  };

  const idle = (text, again = 4000) => {
    item = null; enable(false);
    if ($("state").textContent !== (text.textContent ?? text)) tell("state", text);
    $("text").textContent = $("text-b").textContent = $("suggestion").textContent = "";
    $("text-b").hidden = $("suggestion").hidden = true;
    if (again) waiting = setTimeout(next, again);
  };

  const answer = async (choice) => {
    if (!item || busy) return;
    busy = true; enable(false); tell("notice", ""); tell("why", "");
    const seconds = Math.min((performance.now() - since) / 1000, 86400);
    outbox.put("/labels", { token: item.token, seconds, ...choice });
    item = null;
    await next();
  };

  const skip = async () => {
    if (!item || busy) return;
    busy = true;
    try { await post(`/review/${encodeURIComponent(item.token)}/skip`, {}); } catch { /* it comes back when its time is over */ }
    await next();
  };

  const undo = async () => {
    if (busy) return;
    busy = true;
    try {
      await outbox.flush(taken);
      const reply = await asked(post("/review/undo", { who: person.who }));
      if (reply.status === 200) { clearTimeout(waiting); show(await reply.json()); tell("why", ""); tell("notice", "Your last text again; what you said is marked. Give it another label."); }
      else tell("notice", "There is nothing of yours to change.");
    } catch (error) { tell("notice", trouble(error)); } finally { busy = false; }
  };

  const pressed = (button) => {
    if (button.dataset.label) answer({ label: button.dataset.label });
    else if (button.dataset.verdict) answer({ verdict: button.dataset.verdict });
    else if (button.id === "skip") skip();
    else if (button.id === "undo") undo();
  };
  $("bar").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) pressed(button);
  });
  document.addEventListener("keydown", (event) => {
    const found = key(event), button = found && [...$("bar").querySelectorAll("button")].find((each) => each.dataset.key === found);
    if (!button) return;
    event.preventDefault();
    pressed(button);
  });
  window.addEventListener("online", () => { if (!busy && !item) next(); });
  person.known(next);
})();
