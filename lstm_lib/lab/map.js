// The map in the browser: draws the items it is given, says which was chosen, and saves a file it is sent. In the app it
// tells the address it was opened at, and keeps that address as the state of the page is.
// What an item means, and what a choice does, is Python's affair.

const SVG = "http://www.w3.org/2000/svg";
let maps = 0; // so that the hatches of two maps in one page have names of their own

function node(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function save(message, buffer) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([buffer], { type: message.type }));
  link.download = message.name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// A word for as long as the tab is open, by which a page that is loaded anew finds its runs.
function mark() {
  const word = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    if (!sessionStorage.getItem("lab-mark")) sessionStorage.setItem("lab-mark", word);
    return sessionStorage.getItem("lab-mark");
  } catch {
    return word; // a browser that keeps nothing
  }
}

function nearest(items, from, dx, dy) {
  const [x, y] = [from.x + from.w / 2, from.y + from.h / 2];
  let best = null, least = Infinity;
  for (const item of items) {
    const [ax, ay] = [item.x + item.w / 2 - x, item.y + item.h / 2 - y];
    const along = ax * dx + ay * dy;
    const aside = Math.max(0, Math.abs(ax * dy + ay * dx) - (dx ? item.h : item.w) / 2);
    if (item !== from && along > 0.5 && along + 4 * aside < least) [best, least] = [item, along + 4 * aside];
  }
  return best;
}

// ipywidgets leaves nameless: the handle and the number of a slider, what has an empty label, buttons that play, a group.
function name(page, words) {
  const say = (part, text) => text && part.setAttribute("aria-label", text);
  for (const label of page.querySelectorAll(".widget-label")) {
    if (label.title === "null") label.removeAttribute("title"); // ipywidgets writes this for no tooltip
    const group = label.closest(".widget-toggle-buttons");
    if (group) group.setAttribute("role", "group");
    for (const part of [...label.parentElement.querySelectorAll(".noUi-handle, .widget-readout, select"), group])
      if (part) say(part, label.textContent.replace("\u200b", "").trim() || part.title);
  }
  for (const play of page.querySelectorAll(".widget-play"))
    [...play.children].forEach((button, k) => say(button, words[["play the epochs", "rewind"][k]]));
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function render({ model, el }) {
  const hatch = `lab-hatch-${(maps += 1)}`;
  const shapes = new Map(); // item name and kind -> what is drawn of it
  let focused = 0;
  el.classList.add("lab-map");
  const picture = document.createElement("div");
  const says = document.createElement("div");
  says.className = "says";
  const about = document.createElement("span");
  const legend = document.createElement("span");
  says.append(about, legend);
  el.append(picture, says);

  const shareOf = (item) => model.get("shares")[item.place] ?? 0;

  function words(item) {
    const share = shareOf(item);
    const { isolated = "isolated", active = "active" } = model.get("words");
    const state = share >= 1 ? isolated : share > 0 ? `${Math.round(100 * share)} % ${isolated}` : active;
    const value = model.get("values")[item.name];
    return [item.name, ...(item.kind === "cell" && value ? [value] : []), state].join(" · ");
  }

  function choose(item) {
    model.send({ kind: "toggle", name: item.name });
  }

  function build() {
    const items = model.get("items").map((item, place) => ({ ...item, place }));
    shapes.clear();
    picture.replaceChildren();
    const [width, height] = model.get("size");
    const svg = node(picture, "svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": model.get("label") });
    const pattern = node(node(svg, "defs", {}), "pattern", {
      id: hatch, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
    });
    node(pattern, "rect", { width: 7, height: 7, fill: "#fff", "fill-opacity": 0.35 });
    node(pattern, "rect", { width: 2, height: 7, fill: "#111" });
    focused = Math.min(focused, items.length - 1);
    items.forEach((item, k) => {
      const { x, y, w, h } = item;
      const heading = item.kind !== "cell";
      const group = node(svg, "g", {
        role: "button", tabindex: k === focused ? 0 : -1, class: heading ? `heading ${item.kind}` : "cell", "data-name": item.name,
      });
      const back = node(group, "rect", { x, y, width: w, height: h, class: heading ? "back" : "back frame" });
      const over = node(group, "rect", { x, y, width: w, height: 0, class: "hatch", fill: `url(#${hatch})` });
      if (heading) node(group, "text", { x: x + w / 2, y: y + h / 2 }).textContent = item.label;
      group.addEventListener("click", () => choose(item));
      group.addEventListener("pointerenter", () => { about.textContent = words(item); });
      group.addEventListener("focus", () => {
        [...shapes.values()][focused].group.setAttribute("tabindex", -1);
        group.setAttribute("tabindex", 0);
        focused = k;
        about.textContent = words(item);
      });
      group.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") choose(item);
        else if (ARROWS[event.key]) {
          const next = nearest(items, item, ...ARROWS[event.key]);
          if (next) shapes.get(`${next.kind} ${next.name}`).group.focus();
        } else return;
        event.preventDefault();
        event.stopPropagation(); // the notebook has shortcuts of its own
      });
      shapes.set(`${item.kind} ${item.name}`, { item, group, back, over });
    });
    paint();
  }

  function paint() {
    const shades = model.get("shades");
    for (const shape of shapes.values()) {
      const { item, group, back, over } = shape;
      const share = shareOf(item), said = words(item), colour = shades[item.name] ?? "";
      if (shape.said === said && shape.colour === colour) continue; // as it stands there
      Object.assign(shape, { said, colour });
      if (item.kind === "cell") {
        back.setAttribute("fill", colour);
        over.setAttribute("height", share > 0 ? Math.max(2, share * item.h) : 0);
      }
      group.setAttribute("aria-pressed", share >= 1 ? "true" : share > 0 ? "mixed" : "false");
      group.setAttribute("aria-label", said);
    }
    const current = [...shapes.values()][focused];
    if (current && picture.contains(document.activeElement)) about.textContent = words(current.item);
    legend.replaceChildren();
    const said = model.get("words");
    const ramp = document.createElement("span");
    ramp.className = "ramp";
    legend.append(`${said.low} `, ramp, ` ${said.high} ${model.get("legend")}${said["; hatched: isolated"]}`);
  }

  function message(content, buffers) {
    if (content.kind === "save") save(content, buffers[0]);
  }

  function readdress() {
    if (!window.lstmLibApp) return; // in a notebook the address is that of the notebook
    const kept = new URLSearchParams(location.search);
    for (const name of ["state", "lang", "hide"]) kept.delete(name);
    const parts = [kept.toString(), model.get("address")].filter((part) => part);
    history.replaceState(null, "", `?${parts.join("&")}`);
  }

  const heard = [
    ["change:items", build], ["change:address", readdress], ["msg:custom", message],
    ...["shades", "shares", "values", "legend", "words"].map((name) => [`change:${name}`, () => paint()]),
  ];
  for (const [event, answer] of heard) model.on(event, answer);
  build();
  const observer = new MutationObserver(() => name(el.closest(".lab-page"), model.get("words")));
  const watch = () => {
    const page = el.closest(".lab-page");
    if (!page) return requestAnimationFrame(watch); // it is not shown yet
    observer.observe(page, { subtree: true, childList: true, attributeFilter: ["title"] });
    name(page, model.get("words"));
  };
  watch();
  if (window.lstmLibApp) model.send({ kind: "opened", search: location.search, mark: mark() });
  return () => {
    observer.disconnect();
    heard.forEach(([event, answer]) => model.off(event, answer));
  };
}

export default { render };
