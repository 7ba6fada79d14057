"use strict";
// The page as a client of the REST calls: hand in, follow, show, download.

window.unblur = (() => {
  const at = (name) => document.getElementById("unblur-" + name);
  const view = window.unblurView;
  const methods = JSON.parse(at("methods").textContent);
  const LONGEST_WAIT = 15 * 60 * 1000;
  let photograph = null, method = "l0", job = null, share = 1, stopped = false, busy = false;

  const entry = () => methods.find((each) => each.name === method);

  function say(text) { at("stage-text").textContent = text; }

  function complain(text) {
    at("error").textContent = text || "";
    at("error").hidden = !text;
  }

  function setBusy(now) {
    busy = now;
    at("progress").hidden = !now;
    at("start").disabled = now;
    at("stop").disabled = !now;
  }

  const size = (file) => (file.size < 1e5 ? `${Math.ceil(file.size / 1e3)} kB` : `${(file.size / 1e6).toFixed(1)} MB`);

  function take(file) {
    if (busy) return;
    photograph = file;
    at("name").textContent = `${file.name || "pasted picture"}, ${size(file)}`;
    at("found").hidden = true;
    complain("");
    view.show(file);
  }

  function choose(name) {
    method = name;
    const known = entry();
    at("about").textContent = `It ${known.summary}. Good when ${known.when}.` + (known.ready ? "" : ` Not ready: ${known.why_not}`);
    at("kernel-row").hidden = !known.needs_kernel;
    at("parameters").querySelectorAll("label").forEach((label) => label.remove());
    const common = new Set(["roi", "strength", "seed", "encoding", "nonfinite", "salvage", "format", "quality", "background", "keep_metadata"]);
    for (const [field, about] of Object.entries(known.options.properties))
      if (!common.has(field)) at("parameters").append(input(field, about));
  }

  // One labelled field of a method's JSON schema.
  function input(field, about) {
    const label = document.createElement("label"), kinds = [about.type].flat();
    label.append(field.replaceAll("_", " ") + " ");
    const choices = about.enum || (kinds.includes("boolean") ? ["true", "false"] : null);
    const box = document.createElement(choices ? "select" : "input");
    box.dataset.field = field;
    box.dataset.kind = kinds[0];
    if (choices) {
      box.append(new Option(about.default == null ? "by itself" : `${about.default} (usual)`, ""));
      for (const each of choices) if (each !== null) box.append(new Option(each, each));
    } else {
      box.type = kinds[0] === "string" ? "text" : "number";
      if (box.type === "number") Object.assign(box, { step: "any", min: about.minimum ?? "", max: about.maximum ?? "" });
      box.placeholder = about.default ?? "by itself";
    }
    const help = document.createElement("small");
    help.textContent = about.description || "";
    label.append(box, help);
    return label;
  }

  function options() {
    const chosen = {};
    for (const box of at("parameters").querySelectorAll("[data-field]")) {
      if (box.value === "") continue;
      const kind = box.dataset.kind;
      chosen[box.dataset.field] = kind === "boolean" ? box.value === "true" : kind === "string" ? box.value : Number(box.value);
    }
    const region = ["x", "y", "w", "h"].map((side) => at(side).value);
    if (region.every((side) => side !== "")) chosen.roi = region.map(Number);
    if (at("format").value) chosen.format = at("format").value;
    if (at("metadata").checked) chosen.keep_metadata = true;
    return chosen;
  }

  async function form() {
    const body = new FormData();
    body.append("file", photograph, photograph.name || "pasted.png");
    body.append("method", method);
    body.append("options", JSON.stringify(options()));
    body.append("previews", "true");
    const painted = await view.mask(), mask = at("mask-file").files[0] || painted;
    if (mask) body.append("mask", mask, "mask.png");
    if (at("lens-file").files[0]) body.append("lens", at("lens-file").files[0]);
    if (entry().needs_kernel && at("kernel-file").files[0]) body.append("kernel", at("kernel-file").files[0]);
    return body;
  }

  // XMLHttpRequest, since fetch does not tell how much has been sent.
  function send(body, key) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", "/v1/jobs");
      request.responseType = "json";
      request.setRequestHeader("Idempotency-Key", key);
      request.upload.onprogress = (event) => {
        if (event.lengthComputable) say(`sending, ${Math.round((100 * event.loaded) / event.total)} %`);
      };
      request.onload = () => resolve([request.status, request.response || {}, Number(request.getResponseHeader("Retry-After"))]);
      request.onerror = () => reject(new Error("the server cannot be reached"));
      request.send(body);
    });
  }

  const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

  // A queue that is full is no failure: the page waits for its turn.
  async function handIn(body, key) {
    const until = Date.now() + LONGEST_WAIT;
    for (;;) {
      let [status, answer, wait] = await send(body, key);
      if (status === 202) return answer;
      if (![429, 503].includes(status) || Date.now() > until) throw new Error(answer.detail || `the server answered ${status}`);
      wait = Math.max(1, wait || 3) * (1 + Math.random());
      say("many are here just now: waiting for a place");
      for (; wait > 0 && !stopped; wait -= 0.25) await pause(0.25);
      if (stopped) throw new Error("Cancelled.");
    }
  }

  async function start() {
    if (busy) return;
    if (!photograph) return complain("Choose a photograph first.");
    if (entry().needs_kernel && !at("kernel-file").files[0] && !at("lens-file").files[0])
      return complain("This method needs to know the blur: choose a file under ‘The blur’, or a method that finds it by itself.");
    complain("");
    stopped = false;
    at("found").hidden = true;
    setBusy(true);
    at("meter").removeAttribute("value");
    say("sending");
    const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    try {
      job = await handIn(await form(), key);
      if (stopped) await fetch(`${job.links.self}/cancel`, { method: "POST" });
      job = await follow(job);
      await finish();
    } catch (error) {
      complain(error.message);
    } finally {
      setBusy(false);
    }
  }

  function follow(first) {
    return new Promise((resolve, reject) => {
      let broken = 0;
      const events = new EventSource(first.links.events);
      events.addEventListener("job", (event) => {
        broken = 0;
        const now = JSON.parse(event.data);
        tell(now);
        if (["queued", "running"].includes(now.state)) return;
        events.close();
        resolve(now);
      });
      events.onerror = () => {
        say("the connection is gone: trying again");
        if (++broken > 60) { events.close(); reject(new Error("the server cannot be reached")); }
      };
    });
  }

  function tell(now) {
    if (now.state === "queued") return say(now.waiting ? `waiting; ${now.waiting} before this one` : "waiting for a worker");
    at("meter").value = now.progress;
    const left = now.seconds_left === null ? "" : `, about ${Math.ceil(now.seconds_left)} s left`;
    say(`${Math.round(100 * now.progress)} %: ${now.stage || "beginning"}${left}`);
  }

  async function finish() {
    if (job.state !== "done") return complain(job.state === "cancelled" ? "Cancelled." : job.error.detail);
    const here = job.links.self;
    say("done: showing it");
    await view.compare(`${here}/preview/before`, `${here}/preview/after`);
    at("words").replaceChildren(...job.words.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    at("kernel").hidden = at("get-kernel").hidden = !job.links.kernel;
    if (job.links.kernel) {
      at("kernel-picture").src = `${here}/preview/kernel`;
      at("get-kernel").href = `${here}/kernel`;
    }
    at("get-page").href = `${here}/report?as=html`;
    at("get-report").href = `${here}/report`;
    at("found").hidden = false;
    strength(share);
  }

  function strength(value) {
    share = value;
    view.strength(value);
    if (job) at("get-result").href = `${job.links.self}/result` + (value < 1 ? `?strength=${value}` : "");
  }

  async function cancel() {
    stopped = true;
    say("cancelling");
    if (job && busy) await fetch(`${job.links.self}/cancel`, { method: "POST" });
  }

  async function forget() {
    await fetch(job.links.self, { method: "DELETE" });
    job = null;
    at("found").hidden = true;
    complain("");
    if (photograph) view.show(photograph);
  }

  async function example(name) {
    const answer = await fetch(`/page/example-${name}.png`);
    take(new File([await answer.blob()], `${name}.png`, { type: "image/png" }));
  }

  function dropping() {
    const drop = at("drop");
    for (const kind of ["dragover", "dragenter"])
      document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
    document.addEventListener("dragleave", () => drop.classList.remove("over"));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
    });
    document.addEventListener("paste", (event) => {
      const file = [...event.clipboardData.files][0];
      if (file) take(file);
    });
    at("file").addEventListener("change", (event) => event.target.files[0] && take(event.target.files[0]));
  }

  function themes() {
    const apply = () => {
      const dark = document.body.classList.contains("dark");
      at("theme").textContent = dark ? "Light" : "Dark";
      at("theme").setAttribute("aria-pressed", dark);
    };
    at("theme").addEventListener("click", () => { document.body.classList.toggle("dark"); apply(); });
    apply();
  }

  function attach() {
    view.attach((region) => ["x", "y", "w", "h"].forEach((side, i) => { at(side).value = region ? region[i] : ""; }));
    dropping();
    themes();
    document.querySelectorAll("[data-example]").forEach((button) => button.addEventListener("click", () => example(button.dataset.example)));
    for (const side of ["x", "y", "w", "h"])
      at(side).addEventListener("change", () => {
        const region = ["x", "y", "w", "h"].map((each) => at(each).value);
        if (region.every((each) => each !== "")) view.setRegion(region.map(Number));
      });
    at("forget").addEventListener("click", forget);
    choose(method);
    document.body.dataset.unblur = "ready";
  }

  // Gradio builds the page after this script is loaded.
  const parts = ["drop", "view", "parameters", "found", "theme", "start", "stop"];
  const waiting = setInterval(() => {
    if (!parts.every(at)) return;
    clearInterval(waiting);
    attach();
  }, 50);

  return { start, cancel, choose, strength };
})();
