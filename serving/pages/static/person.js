"use strict";
// Who works at a page of a run, and what of theirs the service has not taken yet: kept in the browser, under their name,
// until it has. Sending the same thing twice does no harm.
(() => {
  const $ = (id) => document.getElementById(id);
  const desk = $("desk"), run = desk.dataset.run;
  const api = `/v1/runs/${encodeURIComponent(run)}`;
  const place = `thresher/${run}/${desk.dataset.kind}`, name = "thresher/who";
  const post = (path, body) => fetch(api + path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });

  /** What could not be done: `problem` is what the service said, null where it said nothing. */
  class Kept extends Error {
    constructor(status, problem) { super("kept"); this.status = status; this.problem = problem; }
  }
  const said = async (reply) => reply.json().catch(() => ({ detail: `The service answered ${reply.status}.`, hint: "" }));
  /** The reply where there is one to go on with; throws Kept where it has to be asked again. */
  const asked = async (waits) => {
    let reply;
    try { reply = await waits; } catch { throw new Kept(0, null); }
    if ([401, 403, 408, 429].includes(reply.status) || reply.status >= 500) throw new Kept(reply.status, await said(reply));
    return reply;
  };

  const kept = () => JSON.parse(localStorage.getItem(place) || "[]");
  const keep = (list) => list.length ? localStorage.setItem(place, JSON.stringify(list)) : localStorage.removeItem(place);
  const outbox = {
    /** Notes what is to be sent, before anything else happens to it. */
    put: (path, body) => keep([...kept(), { path, body, who: person.who }]),
    /** Sends what is kept of this person, oldest first; `taken` hears each reply and what was sent. */
    flush: async (taken) => {
      for (const each of kept().filter((one) => one.who === person.who)) {
        const reply = await asked(post(each.path, each.body));
        const same = JSON.stringify(each);
        keep(kept().filter((one) => JSON.stringify(one) !== same));
        await taken(reply.ok ? await reply.json() : null, each.body, reply.ok ? null : await said(reply));
      }
    },
  };

  const linked = (text, address, shown) => {
    const found = document.createElement("span"), link = document.createElement("a");
    link.href = address; link.textContent = shown;
    found.append(`${text} `, link);
    return found;
  };
  /** What a person reads about something that has to be done again. */
  const trouble = (error) => {
    if (error.status === 401) {
      const back = `/login?next=${encodeURIComponent(location.pathname)}`;
      return linked("You are signed out. What you have done is kept in this browser and sent when you are back.", back, "Sign in");
    }
    if (error.status === 403) {
      const text = `${error.problem.detail}. What you have done is kept in this browser.`;
      return linked(text, `/login?next=${encodeURIComponent(location.pathname)}`, "Sign in with another key");
    }
    return "The service cannot be reached. What you have done is kept in this browser and sent when it is back.";
  };

  const person = {
    who: desk.dataset.named,
    /** Calls `begin` once it is known who works here. */
    known: (begin) => {
      const form = $("who"), stored = localStorage.getItem(name) || "", own = Boolean(person.who);
      const start = () => {
        form.hidden = true; desk.hidden = false;
        $("me").textContent = person.who; $("other").textContent = `not ${person.who}?`; $("other").hidden = own;
        begin();
      };
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        person.who = $("name").value.trim();
        if (!person.who) return;
        localStorage.setItem(name, person.who);
        start();
      });
      $("other").addEventListener("click", () => { localStorage.removeItem(name); location.reload(); });
      person.who = person.who || stored;
      if (person.who) start();
      else { form.hidden = false; $("name").focus(); }
    },
  };
  const look = async (path) => (await asked(fetch(api + path))).json();
  const tell = (place, text) => { $(place).replaceChildren(text || ""); };
  /** The key of a keyboard event, whatever CapsLock and Shift say; empty where it is not for the page. */
  const key = (event) => {
    if (desk.hidden || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return "";
    if (["INPUT", "TEXTAREA"].includes(event.target.tagName)) return "";
    return /^(Digit|Numpad)\d$/.test(event.code) ? event.code.slice(-1) : event.key.toLowerCase();
  };
  window.thresher = { $, desk, run, api, post, asked, look, said, outbox, person, linked, trouble, tell, key };
})();
