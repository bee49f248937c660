/* <packet-ladder>: replays recorded runs (schema "ladder/1", see lab/docs/recording.py).

   Children: one <data value="JSON" data-name="..."> per variant, and for each the same run as text
   in an element with slot="text-N". No dependencies, no requests. Without JavaScript the text
   stays. Vertical places are rows, not seconds: where nothing happens time is squeezed, and the
   clock beside the controls says what it is. */
{
const SVG = "http://www.w3.org/2000/svg";
const TOP = 46, LINE = 14, GUTTER = 62, PIXELS_PER_S = 70, BEAT_MS = 900;
const LEAST_GAP = 70, NAMED_GAP = 90; // between lanes: below the first one must scroll, below the other names are cut
const ICONS = { // drawn, not letters: many fonts have no signs for media controls
  play: "M5 3l12 7-12 7z", pause: "M4 3h4v14H4zM12 3h4v14h-4z",
  back: "M4 3h3v14H4zM17 3v14L8 10z", next: "M13 3h3v14h-3zM3 3v14l9-7z",
};
const icon = name =>
  `<svg viewBox="0 0 20 20" width="14" height="14" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const draw = (name, attributes = {}, text) => {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text != null) node.textContent = text;
  return node;
};
const time = s => {
  const ms = s * 1000;
  const digits = ms >= 1000 || ms === Math.round(ms) ? 0 : ms >= 1 ? 1 : 2;
  return `${ms.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ms`;
};

const CSS = `
:host{display:block;margin:1.2em 0;font:14px/1.45 var(--eras-font,system-ui,sans-serif);color:var(--fg);
 --fg:var(--md-default-fg-color,CanvasText);--dim:var(--md-default-fg-color--light,GrayText);
 --line:var(--md-default-fg-color--lighter,#8886);--bg:var(--md-code-bg-color,Canvas);
 --data:light-dark(#1257a8,#7db8ff);--ack:light-dark(#1b6e32,#7fd394);
 --again:light-dark(#9a4a00,#ffb366);--lost:light-dark(#b3121d,#ff8a8a)}
*{box-sizing:border-box}
figure{margin:0;border:1px solid var(--line);border-radius:6px;overflow:hidden;background:var(--md-default-bg-color,Canvas)}
figcaption{padding:.6em .9em .5em;font-weight:600}
fieldset{border:0;margin:0;padding:0 .9em .6em;display:flex;flex-wrap:wrap;gap:.3em 1em;align-items:center}
legend{float:left;padding:0;margin-right:.2em;color:var(--dim)}
label{display:inline-flex;gap:.35em;align-items:center;cursor:pointer;min-height:1.8em}
.view{overflow:auto;max-height:min(52em,88vh);background:var(--bg);border-block:1px solid var(--line)}
.view svg{display:block}
text{fill:var(--fg);font-size:12px;paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}
text.lane{font-weight:700;font-size:13px}text.at{fill:var(--dim);font-size:10.5px;font-variant-numeric:tabular-nums}
text.note{font-style:italic;fill:var(--dim)}
.rail{stroke:var(--line);stroke-width:2}.bullet{fill:var(--dim)}
.m{stroke:var(--data);fill:var(--data)}.m.ack,.m.answer{stroke:var(--ack);fill:var(--ack)}
.m.again{stroke:var(--again);fill:var(--again)}.m.harmed{stroke:var(--lost);fill:var(--lost)}
.m line{stroke-width:1.7}.m.again line{stroke-dasharray:6 3}.m.harmed line{stroke-dasharray:2 3}.m .tip{stroke:none}
.cross{stroke-width:2.2;fill:none}
.now{stroke:var(--fg);stroke-dasharray:2 4;opacity:.55}
.bar{display:flex;flex-wrap:wrap;gap:.5em;align-items:center;padding:.6em .9em}
button,select{font:inherit;color:inherit;background:transparent;border:1px solid var(--line);border-radius:4px;min-width:2.5em;min-height:2.3em;padding:0 .5em;cursor:pointer}
button svg{display:inline-block;vertical-align:-2px;fill:currentColor}
button:hover,select:hover{border-color:var(--fg)}
select option{color:#000;background:#fff}
:is(button,input,select,.view,summary):focus-visible{outline:2px solid var(--md-accent-fg-color,Highlight);outline-offset:2px}
input[type=range]{flex:1 1 8em;min-width:6em;accent-color:var(--md-accent-fg-color,auto)}
input[type=radio]{accent-color:var(--md-accent-fg-color,auto);margin:0}
output{font-variant-numeric:tabular-nums;min-width:5.6em;text-align:right}
.say{padding:0 .9em .6em;min-height:2em}
details{padding:.3em .9em .7em;border-top:1px solid var(--line)}summary{cursor:pointer;padding:.25em 0}
.by{margin:.2em 0 0;color:var(--dim);font-size:.9em}
@media print{.bar,.say,fieldset{display:none}.view{max-height:none}}`;

class PacketLadder extends HTMLElement {
  connectedCallback() {
    this.runs = [...this.querySelectorAll(":scope > data")].map(node => ({
      name: node.dataset.name, ...JSON.parse(node.value),
    }));
    if (!this.runs.length || this.shadowRoot) return;
    this.attachShadow({ mode: "open" });
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.build();
    this.width = 0;
    this.load(0);
    this.sizes = new ResizeObserver(() => this.fit());
    this.sizes.observe(this.$(".view"));
    this.seen = new IntersectionObserver(([entry]) => entry.isIntersecting || this.pause());
    this.seen.observe(this);
  }

  disconnectedCallback() {
    this.pause();
    this.seen?.disconnect();
    this.sizes?.disconnect();
  }

  build() {
    const axis = this.getAttribute("axis"), several = this.runs.length > 1;
    this.shadowRoot.innerHTML = `<style>${CSS}</style><figure>
      <figcaption></figcaption>${several ? "<fieldset><legend></legend></fieldset>" : ""}
      <div class="view" tabindex="0" role="img"></div>
      <div class="bar" role="group" aria-label="Replay">
        <button class="back" aria-label="Step back">${icon("back")}</button>
        <button class="play" aria-label="Play">${icon("play")}</button>
        <button class="next" aria-label="Step forward">${icon("next")}</button>
        <input class="scrub" type="range" min="0" max="1000" step="any" aria-label="Place in the run">
        <output></output>
        <select aria-label="Speed"><option value=".5">half speed</option><option value="1" selected>speed 1</option>
          <option value="2">speed 2</option><option value="5">speed 5</option></select>
      </div>
      <div class="say" aria-live="polite"></div>
      <details><summary>The same run as text</summary><slot></slot><p class="by"></p></details></figure>`;
    this.$ = selector => this.shadowRoot.querySelector(selector);
    this.$(".play").onclick = () => (this.isPlaying ? this.pause() : this.play());
    this.$(".back").onclick = () => this.step(-1);
    this.$(".next").onclick = () => this.step(1);
    this.$(".scrub").oninput = event => {
      this.pause();
      this.seek((event.target.value / 1000) * this.end);
      this.follow();
    };
    if (several) {
      this.$("legend").textContent = `${axis}:`;
      this.runs.forEach((run, number) => {
        const label = document.createElement("label"), pick = document.createElement("input");
        Object.assign(pick, { type: "radio", name: "variant", checked: !number });
        pick.onchange = () => this.load(number);
        label.append(pick, run.name);
        this.$("fieldset").append(label);
      });
    }
    this.shadowRoot.addEventListener("keydown", event => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab") return;
      event.stopPropagation(); // the theme listens on the window for single letters
      if (!event.target.matches(".view")) return;
      const action = { " ": () => this.$(".play").click(), ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1) }[event.key];
      if (action) { action(); event.preventDefault(); }
    });
  }

  load(number) {
    this.pause();
    this.run = this.runs[number];
    this.$("figcaption").textContent = this.run.title;
    this.$("slot").name = `text-${number}`;
    this.$(".by").textContent = this.run.made_by;
    this.$(".say").textContent = "";
    this.$(".view").setAttribute("aria-label",
      `Ladder diagram: ${this.run.title}. ${this.run.events.length} events, as text below. Space plays, arrow keys step.`);
    this.width = 0;
    this.fit();
    this.$(".view").scrollTop = 0;
  }

  /* Lay out anew for the width there is; the place in the run stays. */
  fit() {
    const least = Math.max(280, GUTTER + 64 + LEAST_GAP * (this.run.lanes.length - 1));
    const width = clamp(this.$(".view").clientWidth, least, 900);
    if (width === this.width) return;
    const share = this.width && this.end ? this.at / this.end : 1;
    this.width = width;
    this.layOut();
    this.seek(share * this.end); // a fresh one shows the whole run: a still reader sees everything
  }

  layOut() {
    const { lanes, events } = this.run, edge = this.width < 480 ? 26 : 60;
    const left = GUTTER + edge, right = this.width - edge - 12;
    const x = Object.fromEntries(lanes.map((lane, k) => [lane, left + (k * (right - left)) / (lanes.length - 1)]));
    const gap = (right - left) / (lanes.length - 1), letters = Math.max(8, Math.floor((gap - 14) / 6.3));
    const fold = text => {
      const lines = [""];
      for (const word of text.split(" ")) {
        const line = lines.at(-1);
        line && line.length + word.length >= letters ? lines.push(word) : (lines[lines.length - 1] = line ? `${line} ${word}` : word);
      }
      return lines;
    };
    // Rows: what begins or happens in each, how many lines of text it carries, and when.
    this.rows = [];
    for (const event of events) {
      this.rows[event.row] = { ...this.rows[event.row], s: event.at_s, lines: fold(this.label(event)), begins: event };
      if (event.end_row != null) this.rows[event.end_row] = { s: event.end_at_s, lines: [], ends: event };
    }
    let y = TOP, before = 0;
    for (const row of this.rows) {
      const passed_ms = (row.s - before) * 1000;
      y += 10 + LINE * row.lines.length + clamp(7 * Math.log2(1 + passed_ms), 0, 40);
      row.y = y;
      before = row.s;
    }
    this.end = y + 6;
    const height = y + 30;
    const svg = draw("svg", { width: this.width, height, viewBox: `0 0 ${this.width} ${height}`, "aria-hidden": "true" });
    lanes.forEach((lane, k) => {
      const stem = lane.replace(/-\d+$/, ""), isCut = gap < NAMED_GAP && k > 0 && lanes[k - 1].startsWith(`${stem}-`);
      const isLong = k === lanes.length - 1 && !isCut && lane.length * 3.7 > edge + 10; // it would not end before the picture
      svg.append(draw("line", { x1: x[lane], x2: x[lane], y1: 32, y2: height - 8, class: "rail" }),
        draw("text", { x: isLong ? this.width - 4 : x[lane], y: 20, "text-anchor": isLong ? "end" : "middle", class: "lane" },
          isCut ? lane.slice(stem.length) : lane));
    });
    this.items = [];
    let free = 0, told = "";
    for (const row of this.rows) { // the clock, where it has moved on and there is room for it
      if (row.y < free || time(row.s) === told) continue;
      free = row.y + 12;
      told = time(row.s);
      const at = draw("text", { x: GUTTER - 6, y: row.y + 4, "text-anchor": "end", class: "at" }, told);
      svg.append(at);
      this.items.push({ y: row.y, node: at });
    }
    const marks = draw("g"), words = draw("g");
    for (const event of events) {
      const copies = events.indexOf(event) !== events.findIndex(other => other.row === event.row);
      this.items.push(this.item(event, x, marks, copies ? null : words, lanes));
    }
    this.now = draw("line", { x1: 8, x2: this.width - 8, class: "now" });
    svg.append(marks, words, this.now);
    this.$(".view").replaceChildren(svg);
  }

  label(event) {
    if (event.on) return event.label;
    return (event.kind === "again" ? "again: " : "") + event.label + (event.fate ? ` (${event.fate})` : "");
  }

  item(event, x, marks, words, lanes) {
    const row = this.rows[event.row], y = row.y, here = x[event.on ?? event.from];
    const group = draw("g"), text = draw("g");
    const rightward = event.on ? event.on !== lanes.at(-1) : x[event.to] > here;
    row.lines.forEach((line, k) => {
      const up = event.on ? row.lines.length - 1 - 2 * k : row.lines.length - 1 - k;
      const ly = event.on ? y + 4 - (LINE / 2) * up : y - 6 - LINE * up;
      text.append(draw("text", { x: here + (rightward ? 9 : -9), y: ly, "text-anchor": rightward ? "start" : "end", class: event.on ? "note" : "" }, line));
    });
    marks.append(group);
    words?.append(text);
    if (event.on) {
      group.append(draw("circle", { cx: here, cy: y, r: 3.6, class: "bullet" }));
      return { y, node: group, text };
    }
    const isLost = event.end_row == null, isHarmed = isLost || /corrupt|flipped/.test(event.fate);
    group.setAttribute("class", `m ${event.kind} ${isHarmed ? "harmed" : ""}`);
    const x2 = isLost ? here + (x[event.to] - here) * 0.55 : x[event.to];
    const y2 = isLost ? y + 16 : this.rows[event.end_row].y;
    const line = draw("line", { x1: here, y1: y }), tip = draw("path", { class: "tip" });
    group.append(line, tip);
    if (isLost) tip.replaceWith(draw("path", { class: "tip" }));
    const cross = isLost ? draw("path", { class: "cross", d: `M${x2 - 5} ${y2 - 5}l10 10m0 -10l-10 10` }) : null;
    if (cross) group.append(cross);
    return { y, node: group, text, line, tip: group.querySelector(".tip"), cross, from: [here, y], to: [x2, y2] };
  }

  /* Show the run up to the height `at` of the drawing. */
  seek(at) {
    this.at = at = clamp(at, 0, this.end);
    for (const item of this.items) {
      const isThere = item.y <= at;
      item.node.style.display = isThere ? "" : "none";
      if (item.text) item.text.style.display = isThere ? "" : "none";
      if (isThere && item.line) this.move(item, at);
    }
    this.now.setAttribute("y1", at);
    this.now.setAttribute("y2", at);
    this.now.style.display = at >= this.end ? "none" : "";
    const clock = time(this.clock(at));
    this.$(".scrub").value = (at / this.end) * 1000;
    this.$(".scrub").setAttribute("aria-valuetext", clock);
    this.$("output").textContent = clock;
  }

  move({ line, tip, cross, from, to }, at) {
    const share = clamp((at - from[1]) / Math.max(to[1] - from[1], 1), 0, 1);
    const px = from[0] + (to[0] - from[0]) * share, py = from[1] + (to[1] - from[1]) * share;
    line.setAttribute("x2", px);
    line.setAttribute("y2", py);
    const turn = (Math.atan2(to[1] - from[1], to[0] - from[0]) * 180) / Math.PI;
    tip.setAttribute("d", "M0 0L-9 -4V4Z");
    tip.setAttribute("transform", `translate(${px} ${py}) rotate(${turn})`);
    if (!cross) return;
    cross.style.display = share === 1 ? "" : "none";
    tip.style.display = share === 1 ? "none" : "";
  }

  clock(at) {
    const next = this.rows.findIndex(row => row.y > at);
    if (next === 0) return 0;
    if (next < 0) return this.rows.at(-1).s;
    const a = this.rows[next - 1], b = this.rows[next];
    return a.s + ((b.s - a.s) * (at - a.y)) / (b.y - a.y);
  }

  follow() {
    const view = this.$(".view");
    view.scrollTop = this.at - view.clientHeight * 0.6;
  }

  step(direction) {
    this.pause();
    if (direction > 0 && this.at >= this.end) this.seek(0);
    const places = this.rows.map(row => row.y);
    const y = direction > 0 ? places.find(y => y > this.at + 0.5) : places.findLast(y => y < this.at - 0.5);
    this.seek(y ?? (direction > 0 ? this.end : 0));
    this.follow();
    const row = this.rows.find(row => row.y === y);
    this.$(".say").textContent = row ? this.tell(row) : "";
  }

  tell({ s, begins, ends }) {
    if (ends) return `${time(s)}: ${ends.to} receives ${ends.label}${ends.fate ? `, ${ends.fate}` : ""}`;
    if (begins.on) return `${time(s)}: ${begins.on}: ${begins.label}`;
    const isLost = begins.end_row == null;
    const fate = begins.fate ? `, ${begins.fate}` : isLost ? ", never arrives" : "";
    return `${time(s)}: ${begins.from} sends ${begins.label}${begins.kind === "again" ? " again" : ""}${fate}`;
  }

  play() {
    if (this.at >= this.end) this.seek(0);
    this.show(true);
    this.$(".say").textContent = "";
    if (this.calm.matches) { // no continuous motion: one row a beat
      this.timer = setInterval(() => {
        const next = this.rows.find(row => row.y > this.at + 0.5);
        next ? (this.seek(next.y), this.follow()) : (this.seek(this.end), this.pause());
      }, BEAT_MS);
      return;
    }
    let before = performance.now();
    const frame = now => {
      this.seek(this.at + ((now - before) / 1000) * PIXELS_PER_S * this.$("select").value);
      this.follow();
      before = now;
      if (this.at >= this.end) return this.pause();
      this.frame = requestAnimationFrame(frame);
    };
    this.frame = requestAnimationFrame(frame);
  }

  pause() {
    cancelAnimationFrame(this.frame);
    clearInterval(this.timer);
    if (this.isPlaying) this.show(false);
  }

  show(isPlaying) {
    this.isPlaying = isPlaying;
    const button = this.$(".play");
    button.innerHTML = icon(isPlaying ? "pause" : "play");
    button.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
  }
}
customElements.get("packet-ladder") || customElements.define("packet-ladder", PacketLadder);
}
