"use strict";
// One picture, covers on it, and what every estimator says of the people behind them. Only this server is asked.

const COLOURS = {left: "#56b4e9", right: "#d55e00", middle: "#f0e442"};
const LATEST = 50; // answers whose time counts
const $ = name => document.getElementById(name);
const state = {sides: [], picture: null, image: null, covers: [], chosen: -1, now: null, patches: [], person: 0,
               drag: null, busy: false, again: false, times: []};

async function post(where, body, heads = {}) {
  const answer = await fetch(where, {method: "POST", body, headers: heads});
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

function say(words) { $("said").textContent = words; }

async function begin() {
  const about = await (await fetch("about")).json();
  state.sides = about.sides;
  fill($("shape"), about.shapes);
  fill($("fill"), about.fills);
  fill($("part"), about.sides[0].parts);
  if (about.opened) await open(about.opened, about.covers);
}

function fill(select, names) {
  select.replaceChildren(...names.map(name => new Option(name.replaceAll("_", " "), name)));
}

async function send(blob, name) {
  say("Looking for people ...");
  try {
    await open(await post("picture", blob, {"X-Name": encodeURIComponent(name)}), []);
  } catch (error) { say(error.message); }
}

async function open(picture, covers) {
  const image = new Image();
  image.src = "pixels/" + picture.picture;
  await image.decode();
  const found = Math.max(...picture.people.map(people => people.length));
  Object.assign(state, {picture, image, covers, chosen: covers.length - 1, now: picture.people, patches: [], person: 0});
  $("name").textContent = picture.name;
  $("size").value = Math.round(tall(0, 0) / 5) || 60;
  $("tools").hidden = $("told").hidden = false;
  $("stage").classList.add("full");
  $("stage").replaceChildren(...state.sides.map(frame));
  say(found ? "" : "Nobody was found in this picture.");
  draw();
  if (covers.length) ask();
}

function frame(side, at) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = state.picture.size;
  canvas.style.maxWidth = `${68 * canvas.width / canvas.height}vh`;
  canvas.tabIndex = 0;
  canvas.setAttribute("aria-label", "picture with the poses of " + side.name);
  canvas.addEventListener("pointerdown", event => down(event, at));
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", () => { state.drag = null; });
  canvas.addEventListener("keydown", key);
  const figure = document.createElement("figure"), words = document.createElement("figcaption");
  figure.append(canvas, words);
  return figure;
}

// How long the longer side of a person's box is, as their keypoints tell.
function tall(at, person) {
  const known = (state.picture.people[at][person] || {keypoints: []}).keypoints.filter(Boolean);
  const spread = axis => Math.max(...known.map(point => point[axis])) - Math.min(...known.map(point => point[axis]));
  return known.length ? Math.max(spread(0), spread(1)) : 0;
}

function place(event) {
  const box = event.target.getBoundingClientRect(), scale = event.target.width / box.width;
  return [(event.clientX - box.left) * scale - 0.5, (event.clientY - box.top) * scale - 0.5];
}

function reach(cover) {
  return cover.shape == "part" ? [30, 30] : [cover.width / 2, cover.height / 2];
}

function down(event, at) {
  const [x, y] = place(event);
  const hit = state.covers.findLastIndex(one => Math.abs(one.x - x) <= reach(one)[0] && Math.abs(one.y - y) <= reach(one)[1]);
  choose_person(at, x, y);
  if (hit < 0) return draw();
  state.chosen = hit;
  const cover = state.covers[hit];
  state.drag = [cover.x - x, cover.y - y];
  show_chosen();
  event.target.setPointerCapture(event.pointerId);
  draw();
}

function choose_person(at, x, y) {
  let best = Infinity;
  state.picture.people[at].forEach((one, n) => one.keypoints.filter(Boolean).forEach(([u, v]) => {
    const away = Math.hypot(u - x, v - y);
    if (away < Math.min(best, 25)) { best = away; state.person = n; }
  }));
}

function move(event) {
  if (!state.drag) return;
  const [x, y] = place(event), cover = state.covers[state.chosen];
  cover.x = Math.round(x + state.drag[0]);
  cover.y = Math.round(y + state.drag[1]);
  ask();
}

function key(event) {
  const step = {ArrowLeft: [-4, 0], ArrowRight: [4, 0], ArrowUp: [0, -4], ArrowDown: [0, 4]}[event.key];
  if (event.key == "Delete") remove();
  if (!step || state.chosen < 0) return;
  event.preventDefault();
  state.covers[state.chosen].x += step[0];
  state.covers[state.chosen].y += step[1];
  ask();
}

// Ask for the covers as they are; while an answer is awaited, only the latest change is kept.
async function ask() {
  if (state.busy) { state.again = true; return; }
  state.busy = true;
  const begun = performance.now(), picture = state.picture.picture;
  try {
    const said = await post("ask", JSON.stringify({picture, covers: state.covers}));
    const patches = await Promise.all(said.patches.map(async one => {
      const image = new Image();
      image.src = "data:image/png;base64," + one.data;
      await image.decode();
      return {...one, image};
    }));
    if (state.picture.picture == picture) Object.assign(state, {now: said.people, patches});
    draw();
    state.times = [...state.times, performance.now() - begun].slice(-LATEST);
    $("speed").textContent = `${median(state.times).toFixed(0)} ms from a change to its picture, the median of the ` +
                             `last ${state.times.length}.`;
    say("");
  } catch (error) { say(error.message); }
  state.busy = false;
  if (state.again) { state.again = false; ask(); }
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function draw() {
  document.querySelectorAll("#stage figure").forEach((figure, at) => {
    const canvas = figure.querySelector("canvas"), pen = canvas.getContext("2d");
    pen.drawImage(state.image, 0, 0);
    state.patches.forEach(one => pen.drawImage(one.image, one.x, one.y));
    const people = state.now[at], width = Math.max(2, Math.round(canvas.width / 250));
    const lost = people.filter(one => !one).length;
    if (state.covers.length) state.picture.people[at].forEach(one => pose(pen, state.sides[at], one, width / 2, true));
    people.forEach(one => { if (one) pose(pen, state.sides[at], one, width, false); });
    if (people.length > 1) people.forEach((one, n) => { if (one) number(pen, one, n, width); });
    if (state.covers[state.chosen]) outline(pen, state.covers[state.chosen]);
    const scores = people.map((one, n) => one && one.score !== null ? `person ${n + 1}: ${one.score.toFixed(2)}` : "");
    figure.querySelector("figcaption").textContent = [state.sides[at].name, ...scores.filter(Boolean),
                                                     lost ? `${lost} lost` : ""].filter(Boolean).join(" · ");
  });
  tables();
}

function pose(pen, side, person, width, before) {
  const points = person.keypoints, faint = k => before ? 0.9 : 0.25 + 0.75 * (person.scores[k] ?? 1);
  pen.lineCap = "round";
  side.limbs.forEach(([a, b, sort]) => {
    if (!points[a] || !points[b]) return;
    for (const [colour, wide] of before ? [["#fff", width]] : [["#141414", width + 2], [COLOURS[sort], width]]) {
      pen.globalAlpha = Math.min(faint(a), faint(b));
      pen.strokeStyle = colour;
      pen.lineWidth = wide;
      pen.beginPath();
      pen.moveTo(points[a][0] + 0.5, points[a][1] + 0.5);
      pen.lineTo(points[b][0] + 0.5, points[b][1] + 0.5);
      pen.stroke();
    }
  });
  if (!before) points.forEach((point, k) => dot(pen, side, person, point, k, width, faint(k)));
  pen.globalAlpha = 1;
}

function dot(pen, side, person, point, k, width, faint) {
  if (!point) return;
  pen.globalAlpha = faint;
  pen.beginPath();
  pen.arc(point[0] + 0.5, point[1] + 0.5, 1 + 1.2 * width, 0, 7);
  pen.fillStyle = person.hidden[k] || person.covered[k] ? "#141414" : COLOURS[side.colours[k]];
  pen.fill();
  pen.strokeStyle = COLOURS[side.colours[k]];
  pen.lineWidth = Math.max(1.5, width / 2);
  pen.stroke();
}

// Tell people apart where there are several: a number above the head, the chosen one's on blue.
function number(pen, person, n, width) {
  const known = person.keypoints.filter(Boolean);
  if (!known.length) return;
  const [x, y] = known.reduce((top, point) => point[1] < top[1] ? point : top), size = Math.max(11, 5 * width);
  pen.font = `600 ${size}px system-ui, sans-serif`;
  const words = String(n + 1), wide = pen.measureText(words).width + 0.6 * size;
  const left = Math.min(Math.max(x - wide / 2, 0), pen.canvas.width - wide), top = Math.max(y - 2.2 * size, 0);
  pen.fillStyle = n == state.person ? "#0072b2" : "#141414b0";
  pen.fillRect(left, top, wide, 1.3 * size);
  pen.fillStyle = "#fff";
  pen.fillText(words, left + 0.3 * size, top + size);
}

function outline(pen, cover) {
  const [x, y] = reach(cover);
  for (const [colour, dash] of [["#000", []], ["#fff", [6, 6]]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.setLineDash(dash);
    pen.beginPath();
    if (cover.shape == "disc") pen.ellipse(cover.x + 0.5, cover.y + 0.5, x, y, 0, 0, 7);
    else pen.rect(cover.x + 0.5 - x, cover.y + 0.5 - y, 2 * x, 2 * y);
    pen.stroke();
  }
  pen.setLineDash([]);
}

// What each keypoint of the chosen person went through, an estimator a table.
function tables() {
  $("who").textContent = state.picture.people[0].length > 1
    ? `Person ${state.person + 1}; click on another one to see theirs.` : "";
  $("tables").replaceChildren(...state.sides.map((side, at) => table(side, state.now[at][state.person])));
  $("command").textContent = command();
}

function table(side, person) {
  const made = document.createElement("table");
  made.createCaption().textContent = person ? side.name : side.name + ": this person is not found";
  if (!person) return made;
  row(made, "th", ["keypoint", "moved", "", "score", ""]);
  side.keypoints.forEach((name, k) => {
    const moved = person.moved[k], score = person.scores[k], change = person.change[k];
    const cells = [name + (person.covered[k] ? " (covered)" : ""), moved === null ? "-" : (100 * moved).toFixed(0) + " %",
                   "", score === null ? "-" : score.toFixed(2), signed(change)];
    const meter = document.createElement("meter");
    Object.assign(meter, {min: 0, max: 0.5, low: 0.05, high: 0.15, optimum: 0, value: moved ?? 0});
    meter.title = "moved";
    row(made, "td", cells).cells[2].append(meter);
  });
  return made;
}

function signed(change) {
  const size = Math.abs(change ?? 0).toFixed(2);
  return size == 0 ? "" : (change > 0 ? "+" : "\u2212") + size;
}

function row(made, kind, cells) {
  const line = made.insertRow();
  cells.forEach(words => line.append(Object.assign(document.createElement(kind), {textContent: words})));
  return line;
}

function command() {
  const quoted = word => /^[\w.,:\/-]+$/.test(word) ? word : "'" + word.replaceAll("'", "'\\''") + "'";
  const number = value => String(Number(value.toPrecision(6)));
  const covers = state.covers.map(one => "--cover " + quoted(`${one.shape}:${[one.x, one.y, one.width, one.height].map(number)}:` +
    (one.shape == "part" ? `${one.person}/${one.part}` : one.fill)));
  const [first, second] = state.sides;
  return ["posewright app", quoted(state.picture.name), first.name == "pose" ? "" : "--model " + quoted(first.name),
          second ? "--beside " + quoted(second.name) : "", ...covers].filter(Boolean).join(" ");
}

function add() {
  const size = Number($("size").value), shape = $("shape").value;
  const known = (state.picture.people[0][state.person] || {keypoints: []}).keypoints.filter(Boolean);
  const middle = axis => known.length ? known.reduce((sum, point) => sum + point[axis], 0) / known.length
                                      : state.picture.size[axis] / 2;
  state.covers.push({shape, x: Math.round(middle(0)), y: Math.round(middle(1)), width: size, height: size,
                     fill: $("fill").value, person: state.person, part: shape == "part" ? $("part").value : ""});
  state.chosen = state.covers.length - 1;
  ask();
}

function remove() {
  state.covers.splice(state.chosen, 1);
  state.chosen = state.covers.length - 1;
  ask();
}

function change() {
  const cover = state.covers[state.chosen];
  suit($("shape").value);
  if (!cover) return;
  const size = Number($("size").value), shape = $("shape").value;
  Object.assign(cover, {shape, width: size, height: size, fill: $("fill").value,
                        part: shape == "part" ? $("part").value : ""});
  ask();
}

function show_chosen() {
  const cover = state.covers[state.chosen];
  $("shape").value = cover.shape;
  $("fill").value = cover.fill;
  $("size").value = cover.width;
  if (cover.part) $("part").value = cover.part;
  suit(cover.shape);
}

// Show what a shape can be told.
function suit(shape) {
  $("parted").hidden = shape != "part";
  $("filled").hidden = $("sized").hidden = shape == "part";
}

async function worst() {
  if (state.chosen < 0) add();
  const cover = state.covers[state.chosen];
  say("Searching ...");
  try {
    const said = await post("worst", JSON.stringify({picture: state.picture.picture, side: 0, person: state.person, cover}));
    if (!said.cover) return say("No place was found that moves this person's pose.");
    state.covers[state.chosen] = said.cover;
    show_chosen();
    ask();
  } catch (error) { say(error.message); }
}

// Save what is seen, the poses of all estimators side by side.
function save() {
  const shown = [...document.querySelectorAll("#stage canvas")], sheet = document.createElement("canvas");
  sheet.width = shown.reduce((sum, one) => sum + one.width, 0);
  sheet.height = shown[0].height;
  shown.forEach((one, at) => sheet.getContext("2d").drawImage(one, at * one.width, 0));
  sheet.toBlob(blob => {
    const link = Object.assign(document.createElement("a"), {href: URL.createObjectURL(blob), download: "occluded.png"});
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

function take(file) {
  stop();
  if (!file.type.startsWith("video/")) return send(file, file.name);
  Object.assign($("video"), {srcObject: null, src: URL.createObjectURL(file)});
  $("video").dataset.name = file.name;
  $("film").hidden = false;
}

async function webcam() {
  stop();
  try {
    const stream = await navigator.mediaDevices.getUserMedia({video: true});
    $("video").srcObject = stream;
    $("video").dataset.name = "webcam";
    $("film").hidden = false;
    await $("video").play();
  } catch (error) { say("No webcam: " + error.message); }
}

function stop() {
  if ($("video").srcObject) $("video").srcObject.getTracks().forEach(track => track.stop());
  $("film").hidden = true;
}

function use_frame() {
  const video = $("video"), still = document.createElement("canvas");
  [still.width, still.height] = [video.videoWidth, video.videoHeight];
  still.getContext("2d").drawImage(video, 0, 0);
  still.toBlob(blob => { stop(); send(blob, video.dataset.name + ".png"); });
}

$("file").addEventListener("change", event => { if (event.target.files[0]) take(event.target.files[0]); });
$("webcam").addEventListener("click", webcam);
$("frame").addEventListener("click", use_frame);
$("add").addEventListener("click", add);
$("remove").addEventListener("click", remove);
$("worst").addEventListener("click", worst);
$("save").addEventListener("click", save);
for (const name of ["shape", "fill", "part", "size"]) $(name).addEventListener("input", change);
for (const name of ["dragover", "dragleave", "drop"]) document.addEventListener(name, event => {
  event.preventDefault();
  $("stage").classList.toggle("over", name == "dragover");
  if (name == "drop" && event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
});
begin().catch(error => say(error.message));
