"use strict";
// The photograph: before and after under a slider, zoom, and marks that are drawn on it.

window.unblurView = (() => {
  const at = (name) => document.getElementById("unblur-" + name);
  const MASK_SIDE = 2048; // marks are painted no finer than this, and enlarged at the end
  const state = { size: null, zoom: "fit", split: 0.5, tool: null, region: null, painted: false };
  let address = null;
  let told = () => {};

  function scale() {
    const view = at("view");
    const [width, height] = state.size;
    if (state.zoom !== "fit") return Number(state.zoom) / window.devicePixelRatio;
    return Math.min(view.clientWidth / width, view.clientHeight / height);
  }

  function layOut() {
    if (!state.size) return;
    const view = at("view"), plane = at("plane");
    const [width, height] = state.size.map((side) => side * scale());
    plane.style.width = width + "px";
    plane.style.height = height + "px";
    plane.style.marginTop = Math.max(0, (view.clientHeight - height) / 2) + "px";
    plane.classList.toggle("pixels", scale() * window.devicePixelRatio >= 2);
    view.classList.toggle("fit", state.zoom === "fit");
    divide();
    outline();
  }

  // The line divides what is in view, however far the picture is enlarged.
  function divide() {
    if (!state.size || at("top").hidden) return;
    const view = at("view"), plane = at("plane");
    const left = Math.max(0, view.scrollLeft - plane.offsetLeft);
    const shown = Math.min(plane.clientWidth, view.clientWidth);
    const x = Math.min(plane.clientWidth, left + state.split * shown);
    at("top").style.clipPath = `inset(0 0 0 ${x}px)`;
    at("line").style.left = x + "px";
  }

  function outline() {
    const box = at("box");
    box.hidden = !state.region;
    if (!state.region) return;
    const factor = scale();
    ["left", "top", "width", "height"].forEach((side, i) => {
      box.style[side] = state.region[i] * factor + "px";
    });
  }

  function pixel(event) {
    const corner = at("plane").getBoundingClientRect();
    const [width, height] = state.size;
    return [
      Math.min(width, Math.max(0, Math.round((event.clientX - corner.left) / scale()))),
      Math.min(height, Math.max(0, Math.round((event.clientY - corner.top) / scale()))),
    ];
  }

  function use(tool) {
    state.tool = state.tool === tool ? null : tool;
    at("region").setAttribute("aria-pressed", state.tool === "region");
    at("paint").setAttribute("aria-pressed", state.tool === "paint");
    at("plane").classList.toggle("drawing", state.tool !== null);
  }

  function paint(event) {
    const canvas = at("canvas"), pen = canvas.getContext("2d");
    const [x, y] = pixel(event), factor = canvas.width / state.size[0];
    pen.fillStyle = "#ff3b30";
    pen.beginPath();
    pen.arc(x * factor, y * factor, Math.max(2, (16 / scale()) * factor), 0, 7);
    pen.fill();
    state.painted = true;
    at("clear").disabled = false;
  }

  function draw(event) {
    if (!state.tool || !state.size || event.button !== 0) return;
    event.preventDefault();
    const plane = at("plane"), start = pixel(event);
    plane.setPointerCapture(event.pointerId);
    const move = (next) => {
      if (state.tool === "paint") return paint(next);
      const end = pixel(next);
      setRegion([
        Math.min(start[0], end[0]), Math.min(start[1], end[1]),
        Math.abs(end[0] - start[0]), Math.abs(end[1] - start[1]),
      ]);
    };
    const stop = () => {
      plane.removeEventListener("pointermove", move);
      if (state.tool === "region") {
        if (state.region && Math.min(state.region[2], state.region[3]) < 16) setRegion(null);
        use(null);
      }
    };
    plane.addEventListener("pointermove", move);
    plane.addEventListener("pointerup", stop, { once: true });
    plane.addEventListener("pointercancel", stop, { once: true });
    if (state.tool === "paint") paint(event);
  }

  function setRegion(region) {
    state.region = region;
    if (region) at("clear").disabled = false;
    outline();
    told(region);
  }

  function clear() {
    const canvas = at("canvas");
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    state.painted = false;
    setRegion(null);
    at("clear").disabled = true;
  }

  function drag(event) {
    event.preventDefault();
    const line = at("line"), view = at("view"), plane = at("plane");
    line.setPointerCapture(event.pointerId);
    const move = (next) => {
      const shown = Math.min(plane.clientWidth, view.clientWidth);
      const left = Math.max(view.getBoundingClientRect().left, plane.getBoundingClientRect().left);
      divideAt((next.clientX - left) / shown);
    };
    line.addEventListener("pointermove", move);
    line.addEventListener("pointerup", () => line.removeEventListener("pointermove", move), { once: true });
  }

  function divideAt(share) {
    state.split = Math.min(1, Math.max(0, share));
    at("split").value = Math.round(100 * state.split);
    divide();
  }

  function zoomTo(zoom) {
    state.zoom = zoom;
    for (const button of at("zooms").querySelectorAll("button"))
      button.setAttribute("aria-pressed", button.dataset.zoom === zoom);
    layOut();
    const view = at("view"), plane = at("plane");
    view.scrollTo((plane.clientWidth - view.clientWidth) / 2, (plane.clientHeight - view.clientHeight) / 2);
    divide();
  }

  function canDraw(can) {
    at("region").disabled = at("paint").disabled = !can;
  }

  function showSize(image) {
    state.size = [image.naturalWidth, image.naturalHeight];
    const shrink = Math.min(1, MASK_SIDE / Math.max(...state.size)), canvas = at("canvas");
    [canvas.width, canvas.height] = state.size.map((side) => Math.max(1, Math.round(side * shrink)));
    at("plane").hidden = false;
    at("empty").hidden = true;
    canDraw(true);
    layOut();
  }

  // Show a photograph that is not restored yet; formats that browsers do not know show nothing.
  function show(blob) {
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(blob);
    state.size = null;
    at("plane").hidden = at("top").hidden = at("line").hidden = at("compare").hidden = true;
    at("empty").hidden = false;
    at("empty").textContent = "The browser cannot show this format; the result will be shown.";
    canDraw(false);
    clear();
    const image = at("before");
    image.onload = () => showSize(image);
    image.src = address;
  }

  function compare(before, after) {
    const image = at("before"), other = at("after");
    return new Promise((resolve) => {
      const open = () => {
        at("top").hidden = at("line").hidden = at("compare").hidden = false;
        use(null);
        divideAt(0.5);
        layOut();
        resolve();
      };
      other.onerror = resolve;
      other.onload = () => {
        if (state.size) return open();
        image.onload = () => { showSize(image); open(); };
        image.onerror = resolve;
        image.src = before;
      };
      other.src = after;
    });
  }

  // The marks as a PNG of the photograph's size, white where to leave alone.
  function mask() {
    if (!state.painted) return Promise.resolve(null);
    const whole = document.createElement("canvas");
    [whole.width, whole.height] = state.size;
    const pen = whole.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(at("canvas"), 0, 0, whole.width, whole.height);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, whole.width, whole.height);
    pen.globalCompositeOperation = "destination-over";
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, whole.width, whole.height);
    return new Promise((resolve) => whole.toBlob(resolve, "image/png"));
  }

  function attach(regionChanged) {
    told = regionChanged;
    at("split").addEventListener("input", (event) => divideAt(event.target.value / 100));
    at("zooms").addEventListener("click", (event) => event.target.dataset.zoom && zoomTo(event.target.dataset.zoom));
    at("region").addEventListener("click", () => use("region"));
    at("paint").addEventListener("click", () => use("paint"));
    at("clear").addEventListener("click", clear);
    at("plane").addEventListener("pointerdown", draw);
    at("line").addEventListener("pointerdown", drag);
    at("view").addEventListener("scroll", divide);
    new ResizeObserver(layOut).observe(at("view"));
  }

  return {
    attach, show, compare, mask, setRegion,
    strength: (share) => { at("after").style.opacity = share; },
    size: () => state.size,
  };
})();
